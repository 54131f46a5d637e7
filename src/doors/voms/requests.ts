import type { AttributeRequest, Fqan } from '../../identity/index.ts'
import { parseFqan } from '../../identity/index.ts'
import { defineError } from '../../kernel/errors.ts'
import { readFlatXml } from './flat-xml.ts'
import { badRequest } from './wire.ts'

const nothingHere = defineError('missing', 'no_such_route')

const LONGEST = 512
const TARGET = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/
const MOST_SECONDS = 10 * 365 * 86_400

/** `/generate-ac?fqans=/demo,/demo/Role=production&lifetime=43200&order=…&targets=…` */
export function requestOfTarget(target: string): AttributeRequest {
  const [path, query = ''] = split(target, '?')
  if (path !== '/generate-ac')
    throw nothingHere(`There is nothing at ${path.slice(0, 100)}; attributes are at /generate-ac.`)
  const given = new Map<string, string>()
  for (const pair of query.split('&').filter(Boolean)) {
    const [name, value = ''] = split(pair, '=')
    given.set(name, decoded(value))
  }
  const fqans = given.get('fqans') ?? ''
  return {
    fqans: fqans === 'all' ? 'all' : listOf('fqans', fqans).map(fqanOf),
    order: listOf('order', given.get('order')).map(fqanOf),
    lifetimeSeconds: lifetimeOf(given.get('lifetime')),
    targets: targetsOf(given.get('targets')),
  }
}

/**
 * The document of the older protocol. Commands: `G/group`, `B/group:role`, `Rrole` (in every group where it is held),
 * `A` (everything).
 */
export function requestOfDocument(document: string): AttributeRequest {
  const fields = readFlatXml(document, 'voms')
  const last = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1]
  const commands = fields.filter(([name]) => name === 'command').map(([, text]) => text)
  const fqans: Fqan[] = []
  const roles: string[] = []
  let all = false
  for (const command of commands) {
    const [kind, rest] = [command.slice(0, 1), command.slice(1)]
    if (kind === 'G' || kind === 'B') fqans.push(fqanOf(rest))
    else if (kind === 'R') roles.push(fqanOf(`/any/Role=${rest}`).role ?? 'NULL')
    else if (command === 'A') all = true
    else throw badRequest(`The command "${command.slice(0, 60)}" is unknown.`)
  }
  return {
    fqans: all ? 'all' : fqans,
    rolesAnywhere: roles,
    order: listOf('order', last('order')).map(fqanOf),
    lifetimeSeconds: lifetimeOf(last('lifetime')),
    targets: targetsOf(last('targets')),
  }
}

/** Also with the colon between group and role that people type. */
const fqanOf = (text: string): Fqan => parseFqan(text.replace(/:(?:Role=)?(?=[^:/]+$)/, '/Role='))

function listOf(what: string, text = ''): string[] {
  if (text.length > LONGEST) throw badRequest(`The list of ${what} is longer than ${LONGEST} characters.`)
  return text.split(',').filter(Boolean)
}

function targetsOf(text: string | undefined): string[] {
  return listOf('targets', text).map((host) => {
    if (!TARGET.test(host)) throw badRequest(`"${host.slice(0, 60)}" is no host name.`)
    return host.toLowerCase()
  })
}

function lifetimeOf(text: string | undefined): number | null {
  if (text === undefined || text === '') return null
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : 0
  if (seconds > 0) return Math.min(seconds, MOST_SECONDS)
  throw badRequest('The lifetime has to be a positive number of seconds.')
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw badRequest('The address holds a broken escape.')
  }
}

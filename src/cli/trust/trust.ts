import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'

const notTrusted = defineError('missing', 'issuer_missing')

interface Issuer {
  readonly id: number
  readonly issuer: string
  readonly name: string
  readonly path: string
  readonly audiences: readonly string[]
  readonly subjects: Readonly<Record<string, string>>
  readonly keysUntil: string
  readonly problem: string
}

interface AddOptions extends SharedOptions {
  readonly path: string
  readonly audience: readonly string[]
  readonly map: readonly string[]
  readonly name?: string
  readonly callsItself?: string
  readonly comment: string
}

const BASE = '/kumi/v1/issuers'

export async function add(issuer: string, options: AddOptions): Promise<void> {
  const { path, audience, map, name, callsItself, comment } = options
  const wanted = { issuer, path, audiences: audience, subjects: subjectsOf(map), name, callsItself, comment }
  await withClient(options, async (client) => {
    const made = await client.json<Issuer>('POST', BASE, { json: wanted })
    show(
      options,
      made,
      () =>
        `${made.issuer} is trusted below ${made.path}; groups of its tokens are /${made.name}/… in the rules of kumi access.`,
    )
  })
}

export async function ls(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { issuers } = await client.json<{ issuers: Issuer[] }>('GET', BASE)
    show(options, issuers, () =>
      table(issuers, [
        { title: 'ID', right: true, value: (issuer) => String(issuer.id) },
        { title: 'ISSUER', value: (issuer) => issuer.issuer },
        { title: 'PATH', value: (issuer) => issuer.path },
        { title: 'GROUPS', value: (issuer) => `/${issuer.name}/…` },
        {
          title: 'PEOPLE',
          value: ({ subjects }) =>
            Object.entries(subjects)
              .map(([subject, account]) => `${subject}=${account}`)
              .join(' '),
        },
        { title: 'KEYS UNTIL', value: (issuer) => issuer.keysUntil },
        { title: 'PROBLEM', value: (issuer) => issuer.problem },
      ]),
    )
  })
}

export async function remove(which: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { issuers } = await client.json<{ issuers: Issuer[] }>('GET', BASE)
    const found = issuers.find(({ id, issuer }) => issuer === which || String(id) === which)
    if (!found) throw notTrusted(`${which} is not trusted; see kumi trust ls.`)
    const answer = await client.json<unknown>('DELETE', `${BASE}/${found.id}`)
    show(options, answer, () => `${found.issuer} is trusted no more.`)
  })
}

function subjectsOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((text) => {
      // Accounts hold no "=", subjects may.
      const at = text.lastIndexOf('=')
      if (at < 1) throw badOption(`--map needs <subject>=<account>, got "${text}".`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

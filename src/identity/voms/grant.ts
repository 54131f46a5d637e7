import { defineError } from '../../kernel/errors.ts'
import type { GenericAttribute } from './attribute-certificate.ts'
import { type Fqan, fqanOfGroup, groupOfFqan, isOfVo, shortFqan } from './fqan.ts'

export const attributeDenied = defineError('denied', 'voms_attribute_denied')
export const invalidAttributeRequest = defineError('invalid', 'invalid_attribute_request')

/** What somebody asks of a VO's attribute authority. */
export interface AttributeRequest {
  /** In the order wished, the first being the primary one; `all`: everything held, also what counts only when asked for. */
  readonly fqans: readonly Fqan[] | 'all'
  /** Roles wished in every group where they are held. */
  readonly rolesAnywhere?: readonly string[]
  /** These come first if they are held. */
  readonly order: readonly Fqan[]
  /** Null: as long as usual. */
  readonly lifetimeSeconds: number | null
  /** Hosts the attributes are meant for; empty: everybody. */
  readonly targets: readonly string[]
}

/** What a VO knows of a member. */
export interface Held {
  readonly memberships: readonly {
    readonly path: string
    readonly optional: boolean
    readonly role: boolean
    readonly until: Date | null
  }[]
  readonly attributes: readonly HeldAttribute[]
}

export interface HeldAttribute {
  readonly name: string
  readonly value: string
  /** Path of the group it is given through; null: the member's own. */
  readonly group: string | null
}

export interface Grant {
  readonly fqans: readonly Fqan[]
  readonly attributes: readonly GenericAttribute[]
  readonly notBefore: Date
  readonly notAfter: Date
  /** For the person to read. */
  readonly warnings: readonly string[]
}

const USUAL_SECONDS = 12 * 3600
const MOST_FQANS = 200
/** A certificate made for the occasion ends a moment before what is wished for. */
const WORTH_TELLING_MS = 60_000

/**
 * Decides which groups and roles of `vo` are attested, in which order and how long. Throws `voms_attribute_denied` when
 * something was asked for that is not held. Pure.
 */
export function grantAttributes(
  held: Held,
  request: AttributeRequest,
  options: {
    readonly vo: string
    readonly member: string
    readonly now: Date
    readonly mostSeconds: number
    /** When the member's certificate ends. */
    readonly certificateEnds: Date
  },
): Grant {
  const { vo, member, now, mostSeconds, certificateEnds } = options
  const own = held.memberships
    .map((membership) => ({ ...membership, fqan: fqanOfGroup(membership) }))
    .filter(({ fqan }) => isOfVo(fqan, vo))
    .sort((a, b) => Number(a.role) - Number(b.role) || (a.path < b.path ? -1 : 1))
  const byName = new Map(own.map((one) => [shortFqan(one.fqan), one]))
  const has = (fqan: Fqan): boolean => byName.has(shortFqan(fqan))

  const warnings: string[] = []
  const wished = request.fqans === 'all' ? own.map(({ fqan }) => fqan) : [...request.fqans]
  for (const role of request.rolesAnywhere ?? []) {
    const places = own.filter(({ fqan }) => fqan.role === role)
    if (places.length === 0) throw denied(vo, member, `the role ${role} in any group`, own)
    wished.push(...places.map(({ fqan }) => fqan))
  }
  const missing = wished.filter((fqan) => !has(fqan))
  if (missing.length > 0) throw denied(vo, member, missing.map(shortFqan).join(', '), own)
  const usual = own.filter(({ optional, role }) => !optional && !role).map(({ fqan }) => fqan)
  const chosen = new Map([...wished, ...usual].map((fqan) => [shortFqan(fqan), fqan]))
  const first = request.order.filter((fqan) => chosen.has(shortFqan(fqan)))
  if (first.length < request.order.length) {
    const absent = request.order.filter((fqan) => !chosen.has(shortFqan(fqan))).map(shortFqan)
    warnings.push(
      `Not everything could be selected in the order wished: ${absent.join(', ')} is not among it.`,
    )
  }
  const names = new Set([...first.map(shortFqan), ...chosen.keys()])
  const fqans = [...names].map((name) => byName.get(name)!.fqan)
  if (fqans.length === 0) throw denied(vo, member, `membership of /${vo}`, own)
  if (fqans.length > MOST_FQANS) {
    throw invalidAttributeRequest(`These are more than ${MOST_FQANS} groups and roles; name those you need.`)
  }

  const lifetime = request.lifetimeSeconds ?? Math.min(USUAL_SECONDS, mostSeconds)
  const wishedEnd = new Date(now.getTime() + lifetime * 1000)
  const ends = [
    { at: new Date(now.getTime() + mostSeconds * 1000), why: `the most that ${vo} grants` },
    { at: certificateEnds, why: 'then your certificate ends' },
    ...fqans.flatMap((fqan) => {
      const { until } = byName.get(shortFqan(fqan))!
      return until ? [{ at: until, why: `then your place in ${shortFqan(fqan)} ends` }] : []
    }),
  ]
  const soonest = ends.reduce((a, b) => (b.at < a.at ? b : a))
  const notAfter = soonest.at < wishedEnd ? soonest.at : wishedEnd
  const lost = wishedEnd.getTime() - notAfter.getTime()
  if (request.lifetimeSeconds !== null && lost > WORTH_TELLING_MS) {
    const seconds = Math.max(0, Math.floor((notAfter.getTime() - now.getTime()) / 1000))
    warnings.push(`The validity of the attributes was shortened to ${seconds} seconds: ${soonest.why}.`)
  }
  return { fqans, attributes: attributesOf(held, vo, fqans), notBefore: now, notAfter, warnings }
}

/** The member's own, and those of the groups and roles that are attested. */
function attributesOf({ attributes }: Held, vo: string, fqans: readonly Fqan[]): GenericAttribute[] {
  const names = new Map(fqans.map((fqan) => [groupOfFqan(fqan), shortFqan(fqan)]))
  return attributes.flatMap(({ name, value, group }) => {
    const qualifier = group === null ? vo : names.get(group)
    return qualifier === undefined ? [] : [{ name, value, qualifier }]
  })
}

function denied(vo: string, member: string, wanted: string, own: readonly { readonly fqan: Fqan }[]): Error {
  const has = own.map(({ fqan }) => shortFqan(fqan))
  const list = has.length === 0 ? 'nothing' : has.slice(0, 30).join(', ') + (has.length > 30 ? ', …' : '')
  return attributeDenied(
    `${member} does not have ${wanted}. What ${member} has in ${vo}: ${list}. Ask a manager of the group for more.`,
    { wanted, held: has },
  )
}

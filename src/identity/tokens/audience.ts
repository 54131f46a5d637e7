import { invalidTarget } from '../errors.ts'
import type { Client } from './client.ts'
import { ANY_AUDIENCE } from './token.ts'

const MOST = 20

/**
 * Whom a token is for: what is asked for, else what was granted before, else what the client is registered for, else
 * anybody. Throws invalid_target for an audience that is none or that the client, or the grant, does not reach.
 */
export function audienceOf(
  client: Client | null,
  asked: readonly string[],
  granted?: readonly string[],
): readonly string[] {
  const wanted = [...new Set(asked)]
  const bad = wanted.find((one) => !/^[\x21-\x7e]{1,255}$/.test(one))
  if (bad !== undefined || wanted.length > MOST) throw invalidTarget('This is no audience.')
  for (const most of [client?.audiences ?? [], granted ?? []]) {
    const free = most.length === 0 || most.includes(ANY_AUDIENCE)
    const beyond = free ? undefined : wanted.find((one) => !most.includes(one))
    if (beyond !== undefined) throw invalidTarget(`The audience "${beyond}" may not be asked for here.`)
  }
  if (wanted.length > 0) return wanted
  if (granted?.length) return granted
  return client?.audiences.length ? client.audiences : [ANY_AUDIENCE]
}

/** RFC 8707 §2: an absolute URI without a fragment; throws invalid_target. */
export function checkResource(resource: string): void {
  if (!URL.canParse(resource) || resource.includes('#')) {
    throw invalidTarget(`The resource "${resource}" is no absolute URI.`)
  }
}

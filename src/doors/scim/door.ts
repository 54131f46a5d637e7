import type { FastifyRequest } from 'fastify'
import {
  type Group,
  type Identity,
  isUuid,
  type Person,
  type Resource as Target,
} from '../../identity/index.ts'
import { isGridError } from '../../kernel/index.ts'

export interface ScimDoorDeps {
  readonly identity: Identity
  /** `https://host:port`, as clients know it. */
  readonly address: string
}

/** One place where the door stands: below `/scim` the caller's VO counts, below `/iam/<vo>/scim` the one named. */
export interface Place extends ScimDoorDeps {
  readonly prefix: string
}

export function voOf(request: FastifyRequest): string {
  return (request.params as { vo?: string }).vo ?? request.principal.vo
}

export function baseOf({ prefix, address }: Place, request: FastifyRequest): string {
  return address + prefix.replace(':vo', voOf(request))
}

/** A person as what something is done to: they own their data, and the managers of their groups look after them. */
export async function personTarget(
  { identity }: ScimDoorDeps,
  vo: string,
  uuid: string,
): Promise<Target & { person?: Person }> {
  // Whoever may not look must not learn who is there: an unknown id has no owner and no managers.
  if (!isUuid(uuid)) return { vo }
  const person = await identity.personByUuid(vo, uuid).catch((error) => {
    if (isGridError(error, 'account_missing')) return undefined
    throw error
  })
  if (!person) return { vo }
  return { vo, owner: person.id, managers: await identity.managersOfMember(person.id), person }
}

/** A group as what something is done to. */
export async function groupTarget(
  { identity }: ScimDoorDeps,
  vo: string,
  uuid: string,
): Promise<Target & { group?: Group }> {
  const [group] = isUuid(uuid) ? await identity.groupsByUuid(vo, [uuid]) : []
  if (!group) return { vo }
  return { vo, managers: (await identity.managersOf([group.id])).get(group.id) ?? [], group }
}

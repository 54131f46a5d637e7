import type { Group, Identity } from '../../identity/index.ts'
import type { Resource } from './patch.ts'
import { GROUP, INDIGO_GROUP } from './schemas.ts'
import { labelView, meta } from './user.ts'

/** Groups as SCIM groups; with their members only when asked for, as there may be very many. */
export async function groupResources(
  identity: Identity,
  groups: readonly Group[],
  base: string,
  withMembers: boolean,
): Promise<Resource[]> {
  const labels = await identity.labelsOf(
    'group',
    groups.map(({ id }) => id),
  )
  const resources: Resource[] = []
  for (const group of groups) {
    const { id, uuid, path, description, parentUuid } = group
    const parent = parentUuid && {
      value: parentUuid,
      display: path.slice(1, path.lastIndexOf('/')),
      $ref: `${base}/Groups/${parentUuid}`,
    }
    resources.push({
      schemas: [GROUP, INDIGO_GROUP],
      id: uuid,
      meta: meta('Group', group, `${base}/Groups/${uuid}`),
      displayName: path.slice(1),
      [INDIGO_GROUP]: {
        ...(description && { description }),
        ...(parent && { parentGroup: parent }),
        labels: (labels.get(id) ?? []).map(labelView),
      },
      ...(withMembers && { members: await everyMember(identity, group, base) }),
    })
  }
  return resources
}

const AT_ONCE = 10_000

async function everyMember(identity: Identity, group: Group, base: string): Promise<Resource[]> {
  const members: Resource[] = []
  for (;;) {
    const { items } = await identity.membersOf(group, { offset: members.length, limit: AT_ONCE })
    members.push(...items.map((member) => memberView(member, base)))
    if (items.length < AT_ONCE) return members
  }
}

export function memberView({ uuid, username }: { uuid: string; username: string }, base: string): Resource {
  return { value: uuid, display: username, $ref: `${base}/Users/${uuid}` }
}

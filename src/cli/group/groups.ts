import { defineError, isGridError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { groupPath, idOf } from '../people/people.ts'
import { table } from '../terminal.ts'

const noGroup = defineError('missing', 'no_group')
const INDIGO = 'urn:indigo-dc:scim:schemas:IndigoGroup'

interface Group {
  readonly id: string
  readonly displayName: string
  readonly [INDIGO]?: {
    readonly description?: string
    readonly labels?: readonly { readonly name: string }[]
  }
}

interface List<T> {
  readonly totalResults: number
  readonly itemsPerPage: number
  readonly Resources: readonly T[]
}

interface Member {
  readonly display: string
}

const AT_ONCE = 1000

export async function ls(text: string | undefined, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const filter = text ? `displayName co ${JSON.stringify(text)}` : undefined
    const groups = await every<Group>(client, '/scim/Groups', { filter })
    show(options, groups, () =>
      table(groups, [
        { title: 'GROUP', value: (group) => `/${group.displayName}` },
        { title: 'KIND', value: kind },
        { title: 'DESCRIPTION', value: (group) => group[INDIGO]?.description },
      ]),
    )
  })
}

export async function showGroup(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const group = await named(client, name)
    const members = await every<Member>(client, `/scim/Groups/${group.id}/members`, {}).catch((error) => {
      // Who is in a group is known to its managers; the rest may be shown all the same.
      if (isGridError(error) && error.kind === 'denied') return null
      throw error
    })
    const names = members?.map(({ display }) => display) ?? null
    show(options, { ...group, members: names }, () =>
      [
        `/${group.displayName} (${kind(group)})`,
        ...(group[INDIGO]?.description ? [group[INDIGO].description] : []),
        names ? `${names.length} members: ${names.join(' ')}` : 'Its managers know who is in it.',
      ].join('\n'),
    )
  })
}

export async function create(
  name: string,
  options: SharedOptions & { description?: string; optional?: boolean; role?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const path = groupPath(client, name)
    const parent = await named(client, path.slice(0, path.lastIndexOf('/')))
    const labels = [
      ...(options.role ? [{ name: 'voms.role' }] : []),
      ...(options.optional ? [{ name: 'wlcg.optional-group' }] : []),
    ]
    const made = await client.json<Group>('POST', '/scim/Groups', {
      json: {
        displayName: path.slice(path.lastIndexOf('/') + 1),
        [INDIGO]: {
          parentGroup: { value: parent.id },
          ...(options.description && { description: options.description }),
          ...(labels.length > 0 && { labels }),
        },
      },
    })
    show(options, made, () => `/${made.displayName} is there.`)
  })
}

export async function add(
  name: string,
  people: readonly string[],
  options: SharedOptions & { manager?: boolean; until?: string },
): Promise<void> {
  if (options.until === undefined) {
    await changed('add', name, people, options)
    return
  }
  if (options.manager) throw badOption('--until is for members; managers stay until they are removed.')
  const until = new Date(options.until)
  if (Number.isNaN(until.getTime()))
    throw badOption(`"${options.until}" is no date; write it like 2027-03-31.`)
  await withClient(options, async (client) => {
    const wish = { group: groupPath(client, name), names: people, until: until.toISOString() }
    const done = await client.json<typeof wish>('POST', '/kumi/v1/groups/members', { json: wish })
    show(options, done, () => `${people.join(', ')} are members of ${done.group} until ${done.until}.`)
  })
}

export async function remove(
  name: string,
  people: readonly string[],
  options: SharedOptions & { manager?: boolean },
): Promise<void> {
  await changed('remove', name, people, options)
}

export async function leave(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { id, displayName } = await named(client, name)
    await client.json('DELETE', `/iam/${client.place.vo}/iam/account/me/groups/${id}`)
    show(options, { id, left: true }, () => `You are no member of /${displayName} any more.`)
  })
}

export async function removeGroup(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { id, displayName } = await named(client, name)
    await client.json('DELETE', `/scim/Groups/${id}`)
    show(options, { id, removed: true }, () => `/${displayName} is gone.`)
  })
}

async function changed(
  op: 'add' | 'remove',
  name: string,
  people: readonly string[],
  options: SharedOptions & { manager?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const group = await named(client, name)
    const ids: string[] = []
    for (const person of people) ids.push((await idOf(client, person)).id)
    if (options.manager) {
      const method = op === 'add' ? 'POST' : 'DELETE'
      for (const id of ids) {
        await client.json(method, `/iam/${client.place.vo}/iam/account/${id}/managed-groups/${group.id}`)
      }
    } else {
      const operation = { op, path: 'members', value: ids.map((value) => ({ value })) }
      const schemas = ['urn:ietf:params:scim:api:messages:2.0:PatchOp']
      await client.json('PATCH', `/scim/Groups/${group.id}`, { json: { schemas, Operations: [operation] } })
    }
    const what = options.manager ? 'managers' : 'members'
    const word = op === 'add' ? `are ${what}` : `are no ${what} any more`
    show(
      options,
      { group: `/${group.displayName}`, op, people },
      () => `${people.join(', ')} ${word} of /${group.displayName}.`,
    )
  })
}

async function named(client: GridClient, name: string): Promise<Group> {
  const path = groupPath(client, name)
  const filter = `displayName eq ${JSON.stringify(path.slice(1))}`
  const [group] = (await client.json<List<Group>>('GET', '/scim/Groups', { query: { filter } })).Resources
  if (!group) throw noGroup(`There is no group ${path}.`, { hint: 'List them with: kumi group ls' })
  return group
}

async function every<T>(
  client: GridClient,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): Promise<T[]> {
  const found: T[] = []
  for (;;) {
    const page = { ...query, startIndex: found.length + 1, count: AT_ONCE }
    const list = await client.json<List<T>>('GET', path, { query: page })
    found.push(...list.Resources)
    if (list.itemsPerPage === 0 || found.length >= list.totalResults) return found
  }
}

function kind(group: Group): string {
  const names = (group[INDIGO]?.labels ?? []).map(({ name }) => name)
  if (names.includes('voms.role')) return 'role'
  return names.includes('wlcg.optional-group') ? 'when asked for' : 'group'
}

import { defineError } from '../../kernel/errors.ts'
import type { GridClient } from '../client/http.ts'
import { withClient } from '../client/http.ts'
import { accountName } from '../client/rucio.ts'
import { show as print, type SharedOptions } from '../common-options.ts'
import { table } from '../terminal.ts'

const badDate = defineError('invalid', 'bad_date')

export interface User {
  readonly id: string
  readonly userName: string
  readonly displayName: string
  readonly active: boolean
  readonly emails: readonly { readonly value: string; readonly primary: boolean }[]
  readonly groups: readonly { readonly display: string }[]
}

export interface PersonAnswer {
  readonly name: string
  readonly id: string
  readonly kind: string
  readonly givenName: string
  readonly familyName: string
  readonly institute: string
  readonly emails: readonly {
    readonly address: string
    readonly primary: boolean
    readonly verifiedAt: string | null
  }[]
  readonly status: string
  readonly standing: { readonly state: string; readonly message?: string }
  readonly endTime: string | null
  readonly signedAt: string | null
  readonly createdAt: string
  readonly groups: readonly {
    readonly path: string
    readonly optional: boolean
    readonly role: boolean
    readonly until: string | null
  }[]
  readonly manages: readonly string[]
}

interface List {
  readonly totalResults: number
  readonly itemsPerPage: number
  readonly Resources: readonly User[]
}

const AT_ONCE = 500

/** Full path of a group, also for `analysis/charm`. */
export const groupPath = (client: GridClient, name: string): string =>
  name.startsWith('/') ? name : `/${client.place.vo}/${name}`

export async function ls(
  text: string | undefined,
  options: SharedOptions & { group?: string; inactive?: boolean; services?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const quoted = JSON.stringify(text ?? '')
    const parts = [
      ...(text ? [`(userName co ${quoted} or displayName co ${quoted} or emails.value co ${quoted})`] : []),
      ...(options.group
        ? [`groups.display eq ${JSON.stringify(groupPath(client, options.group).slice(1))}`]
        : []),
      ...(options.inactive ? ['active eq false'] : []),
      ...(options.services ? [] : ['serviceAccount eq false']),
    ]
    const people: User[] = []
    for (;;) {
      const query = {
        startIndex: people.length + 1,
        count: AT_ONCE,
        filter: parts.join(' and ') || undefined,
      }
      const list = await client.json<List>('GET', '/scim/Users', { query })
      people.push(...list.Resources)
      if (list.itemsPerPage === 0 || people.length >= list.totalResults) break
    }
    print(options, people, () =>
      table(people, [
        { title: 'NAME', value: (user) => user.userName },
        { title: 'PERSON', value: (user) => user.displayName },
        { title: 'E-MAIL', value: (user) => user.emails.find(({ primary }) => primary)?.value },
        { title: 'ACTIVE', value: (user) => (user.active ? 'yes' : 'no') },
        { title: 'GROUPS', value: (user) => user.groups.map(({ display }) => `/${display}`).join(' ') },
      ]),
    )
  })
}

export async function show(name: string | undefined, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const person = await personNamed(client, name ?? (await accountName(client)))
    print(options, person, () => personText(person))
  })
}

export function personNamed(client: GridClient, name: string): Promise<PersonAnswer> {
  return client.json<PersonAnswer>('GET', `/kumi/v1/people/${encodeURIComponent(name)}`)
}

export async function change(
  verb: 'suspend' | 'restore' | 'remove',
  name: string,
  options: SharedOptions & { reason: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/kumi/v1/people/${encodeURIComponent(name)}/${verb}`
    const person = await client.json<PersonAnswer>('POST', path, { json: { reason: options.reason } })
    const done = { suspend: 'suspended', restore: 'back', remove: 'removed' }[verb]
    print(options, person, () => `${person.name} is ${done}.`)
  })
}

export async function expire(name: string, options: SharedOptions & { on: string }): Promise<void> {
  const time = options.on === 'never' ? null : new Date(options.on)
  if (time && Number.isNaN(time.getTime())) {
    throw badDate(`"${options.on}" is no date; write it like 2027-03-31, or "never".`)
  }
  await withClient(options, async (client) => {
    const { id } = await idOf(client, name)
    const endTime = time?.toISOString() ?? null
    await client.json('PUT', `/iam/${client.place.vo}/iam/account/${id}/endTime`, { json: { endTime } })
    print(options, { name, endTime }, () =>
      endTime ? `The membership of ${name} ends on ${endTime}.` : `The membership of ${name} does not end.`,
    )
  })
}

export function idOf(client: GridClient, name: string): Promise<{ id: string }> {
  return client.json('GET', `/kumi/v1/people/${encodeURIComponent(name)}/id`)
}

function personText(person: PersonAnswer): string {
  const { standing, emails, groups, manages, endTime } = person
  const full = [person.givenName, person.familyName].filter(Boolean).join(' ')
  const mark = (group: PersonAnswer['groups'][number]) =>
    [group.role ? 'role' : group.optional ? 'when asked for' : '', group.until ? `until ${group.until}` : '']
      .filter(Boolean)
      .join(', ')
  const lines = [
    `${person.name}${full ? ` (${full}${person.institute ? `, ${person.institute}` : ''})` : ''}`,
    standing.state === 'good' ? 'may log in' : (standing.message ?? standing.state),
    ...emails.map(({ address, verifiedAt }) => `e-mail   ${address}${verifiedAt ? ', confirmed' : ''}`),
    ...(person.signedAt ? [`policy   signed ${person.signedAt}`] : []),
    ...(endTime ? [`until    ${endTime}`] : []),
    ...groups.map((group) => `group    ${group.path}${mark(group) ? ` (${mark(group)})` : ''}`),
    ...manages.map((path) => `manages  ${path}`),
    `id       ${person.id}`,
  ]
  return lines.join('\n')
}

import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { groupPath } from '../people/people.ts'
import { table } from '../terminal.ts'

interface GroupRequest {
  readonly uuid: string
  readonly username: string
  readonly groupName: string
  readonly status: string
  readonly notes: string
  readonly creationTime: string
}

export async function request(name: string, options: SharedOptions & { notes?: string }): Promise<void> {
  await withClient(options, async (client) => {
    const wish = { groupName: groupPath(client, name).slice(1), notes: options.notes ?? '' }
    const made = await client.json<GroupRequest>('POST', `/iam/${client.place.vo}/iam/group_requests`, {
      json: wish,
    })
    show(options, made, () => `The managers of /${made.groupName} decide your request ${made.uuid}.`)
  })
}

export async function requests(options: SharedOptions & { all?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const query = { count: 1000, status: options.all ? undefined : 'PENDING' }
    const path = `/iam/${client.place.vo}/iam/group_requests`
    const { Resources: list } = await client.json<{ Resources: GroupRequest[] }>('GET', path, { query })
    show(options, list, () =>
      table(list, [
        { title: 'ID', value: (one) => one.uuid },
        { title: 'NAME', value: (one) => one.username },
        { title: 'GROUP', value: (one) => `/${one.groupName}` },
        { title: 'STATE', value: (one) => one.status },
        { title: 'SINCE', value: (one) => one.creationTime },
        { title: 'NOTES', value: (one) => one.notes.split('\n', 1)[0] },
      ]),
    )
  })
}

export async function approve(id: string, options: SharedOptions): Promise<void> {
  await decide(id, 'approve', {}, options)
}

export async function reject(id: string, options: SharedOptions & { reason: string }): Promise<void> {
  await decide(id, 'reject', { motivation: options.reason }, options)
}

async function decide(
  id: string,
  verb: 'approve' | 'reject',
  query: Readonly<Record<string, string>>,
  options: SharedOptions,
): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/iam/${client.place.vo}/iam/group_requests/${encodeURIComponent(id)}/${verb}`
    const decided = await client.json<GroupRequest>('POST', path, { query })
    const word = verb === 'approve' ? 'is a member of' : 'was turned down for'
    show(options, decided, () => `${decided.username} ${word} /${decided.groupName}.`)
  })
}

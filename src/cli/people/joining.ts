import { readFile } from 'node:fs/promises'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { askPassword } from '../session/password.ts'
import { table } from '../terminal.ts'

const noRequest = defineError('missing', 'no_request')

interface Registration {
  readonly uuid: string
  readonly username: string
  readonly givenname: string
  readonly familyname: string
  readonly email: string | null
  readonly emailVerified: boolean
  readonly status: string
  readonly notes: string
  readonly creationTime: string
}

interface NewMember extends SharedOptions {
  readonly given: string
  readonly family: string
  readonly email: string
  readonly institute?: string
  readonly notes?: string
  readonly passwordFile?: string
}

const base = (client: GridClient) => `/iam/${client.place.vo}/registration`

export async function register(name: string, options: NewMember): Promise<void> {
  const password = options.passwordFile
    ? (await readFile(options.passwordFile, 'utf8')).split(/\r?\n/)[0]!
    : await askPassword(`Password of the new account ${name}: `)
  await withClient(options, async (client) => {
    const { given, family, email, institute, notes } = options
    const wish = {
      ...{ username: name, givenname: given, familyname: family, email, password },
      ...(institute && { institute }),
      ...(notes && { notes }),
    }
    const made = await client.json<Registration>('POST', `${base(client)}/create`, {
      json: wish,
      anonymous: true,
    })
    show(options, made, () =>
      made.status === 'NEW'
        ? `Registered. Confirm your address with the link sent to ${email}; then a manager decides.`
        : 'Registered. A manager decides now; log in with: kumi login once you are a member.',
    )
  })
}

export async function requests(options: SharedOptions & { all?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const list = await waiting(client, options.all)
    show(options, list, () =>
      table(list, [
        { title: 'NAME', value: (one) => one.username },
        { title: 'PERSON', value: (one) => [one.givenname, one.familyname].filter(Boolean).join(' ') },
        { title: 'E-MAIL', value: (one) => `${one.email ?? '-'}${one.emailVerified ? ', confirmed' : ''}` },
        { title: 'STATE', value: (one) => one.status },
        { title: 'SINCE', value: (one) => one.creationTime },
        { title: 'NOTES', value: (one) => one.notes.split('\n', 1)[0] },
      ]),
    )
  })
}

export async function approve(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { uuid } = await named(client, name)
    const decided = await client.json<Registration>('POST', `${base(client)}/approve/${uuid}`)
    show(options, decided, () => `${decided.username} is a member now.`)
  })
}

export async function reject(name: string, options: SharedOptions & { reason: string }): Promise<void> {
  await withClient(options, async (client) => {
    const { uuid } = await named(client, name)
    const query = { motivation: options.reason }
    const decided = await client.json<Registration>('POST', `${base(client)}/reject/${uuid}`, { query })
    show(options, decided, () => `The registration of ${decided.username} is turned down.`)
  })
}

const waiting = (client: GridClient, all = false) =>
  client.json<Registration[]>('GET', `${base(client)}/${all ? 'list' : 'list/pending'}`)

async function named(client: GridClient, name: string): Promise<Registration> {
  const found = (await waiting(client)).find((one) => one.username === name || one.uuid === name)
  if (!found)
    throw noRequest(`Nobody named ${name} waits for a decision.`, {
      hint: 'List them with: kumi people requests',
    })
  return found
}

import { readFile } from 'node:fs/promises'
import { type GridClient, withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show, whole } from '../common-options.ts'
import { idOf } from '../people/people.ts'

interface Policy {
  readonly version: number
  readonly url: string | null
  readonly text: string | null
  readonly description: string
  readonly signatureValidityInDays: number
  readonly aupRemindersInDays: string
  readonly creationTime: string
}

interface Signature {
  readonly account: { readonly username: string }
  readonly version: number
  readonly signatureTime: string
  readonly endsAt: string | null
}

interface PublishOptions extends SharedOptions {
  readonly file?: string
  readonly url?: string
  readonly description?: string
  readonly validity?: string
  readonly remind?: string
  readonly keepSignatures?: boolean
}

const path = (client: GridClient) => `/iam/${client.place.vo}/iam/aup`

export async function showPolicy(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const policy = await client.json<Policy>('GET', path(client), { anonymous: true })
    show(options, policy, () => policyText(policy))
  })
}

export async function sign(options: SharedOptions & { version?: string; for?: string }): Promise<void> {
  const version = options.version === undefined ? undefined : whole('--version', options.version, 6)
  if (options.for && version !== undefined) throw badOption('--version is for your own signature.')
  await withClient(options, async (client) => {
    const signature = options.for
      ? await client.json<Signature>(
          'PATCH',
          `${path(client)}/signature/${(await idOf(client, options.for)).id}`,
        )
      : await client.json<Signature>('POST', `${path(client)}/signature`, {
          json: version ? { version } : {},
        })
    const until = signature.endsAt ? `until ${signature.endsAt}` : 'for as long as the policy stands'
    show(
      options,
      signature,
      () => `${signature.account.username} has signed version ${signature.version}; it counts ${until}.`,
    )
  })
}

export async function publish(options: PublishOptions): Promise<void> {
  if (!options.file && !options.url) throw badOption('A policy needs --file or --url.')
  const body = {
    ...(options.file && { text: await readFile(options.file, 'utf8') }),
    ...(options.url && { url: options.url }),
    ...(options.description && { description: options.description }),
    ...(options.validity && { signatureValidityInDays: whole('--validity', options.validity, 6) }),
    ...(options.remind && { aupRemindersInDays: options.remind }),
  }
  await withClient(options, async (client) => {
    const method = options.keepSignatures ? 'PATCH' : 'POST'
    const policy = await client.json<Policy>(method, path(client), { json: body })
    const who = options.keepSignatures ? 'Signatures are kept.' : 'Everybody signs it now.'
    show(options, policy, () => `Version ${policy.version} is in force. ${who}`)
  })
}

export async function askAgain(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const policy = await client.json<Policy>('POST', `${path(client)}/touch`)
    show(options, policy, () => `Everybody signs version ${policy.version} again.`)
  })
}

export async function withdraw(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    await client.json('DELETE', path(client))
    show(options, { withdrawn: true }, () => 'There is no usage policy any more.')
  })
}

function policyText(policy: Policy): string {
  const days = policy.signatureValidityInDays
  return [
    `Version ${policy.version} of ${policy.creationTime}`,
    ...(policy.description ? [policy.description] : []),
    days > 0 ? `A signature counts ${days} days.` : 'A signature counts for as long as the policy stands.',
    ...(policy.url ? [policy.url] : []),
    ...(policy.text ? ['', policy.text] : []),
  ].join('\n')
}

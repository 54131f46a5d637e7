import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'
import { type CertificateOptions, credentialOf, ownCertificate } from './credential.ts'

interface Certificate {
  readonly id: string
  readonly account: string
  readonly subject: string
  readonly issuer: string | null
  readonly state: string
  readonly weak: boolean
  readonly notAfter: string | null
  readonly reason: string
}

interface Issued {
  readonly serial: string
  readonly subject: string
  readonly notAfter: string
  readonly revokedAt: string | null
}

interface Request {
  readonly id: string
  readonly account: string
  readonly subject: string
  readonly issuer: string
  readonly state: string
}

const base = (client: GridClient): string => `/iam/${encodeURIComponent(client.place.vo)}`

export async function link(options: SharedOptions & CertificateOptions & { label?: string }): Promise<void> {
  const own = await ownCertificate(options, process.env)
  await withClient(
    options,
    async (client) => {
      const { label = '' } = options
      const linked = await client.json<Certificate>('POST', `${base(client)}/account-linking/X509`, {
        json: { label },
      })
      show(options, linked, () => `${linked.subject} is a certificate of ${linked.account} now.`)
    },
    credentialOf(own),
  )
}

export async function add(
  account: string,
  file: string,
  options: SharedOptions & { label?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const body = { account, pem: readFileSync(file, 'utf8'), label: options.label ?? '' }
    const linked = await client.json<Certificate>('POST', `${base(client)}/account-linking/X509`, {
      json: body,
    })
    show(options, linked, () => `${linked.subject} is a certificate of ${linked.account} now.`)
  })
}

export async function ls(account: string | undefined, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { certificates } = await client.json<{ certificates: Certificate[] }>(
      'GET',
      `${base(client)}/certificates`,
      {
        query: { account },
      },
    )
    show(options, certificates, () =>
      table(certificates, [
        { title: 'ID', value: ({ id }) => id },
        { title: 'SUBJECT', value: ({ subject }) => subject },
        { title: 'ISSUER', value: ({ issuer }) => issuer ?? 'not seen yet' },
        {
          title: 'STATE',
          value: ({ state, weak, reason }) => [state, weak && 'weak', reason].filter(Boolean).join(', '),
        },
        { title: 'UNTIL', value: ({ notAfter }) => notAfter?.slice(0, 10) ?? '-' },
      ]),
    )
  })
}

export async function unlink(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    await client.json('DELETE', `${base(client)}/certificates/${encodeURIComponent(id)}`)
    show(options, { id, unlinked: true }, () => 'Unlinked.')
  })
}

export async function suspend(id: string, options: SharedOptions & { reason: string }): Promise<void> {
  await withClient(options, async (client) => {
    const { reason } = options
    await client.json('POST', `${base(client)}/certificates/${encodeURIComponent(id)}/suspend`, {
      json: { reason },
    })
    show(options, { id, state: 'suspended' }, () => 'Suspended: nobody is let in by it any more.')
  })
}

export async function restore(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    await client.json('POST', `${base(client)}/certificates/${encodeURIComponent(id)}/restore`)
    show(options, { id, state: 'linked' }, () => 'It counts again.')
  })
}

/** The holder of a known name by another authority: no token, the certificate is what they have. */
export async function request(options: SharedOptions & CertificateOptions): Promise<void> {
  const own = await ownCertificate(options, process.env)
  await withClient(
    options,
    async (client) => {
      await client.json('POST', `${base(client)}/certificate-requests`, { anonymous: true })
      show(options, { state: 'pending' }, () => 'Asked for. A manager decides; until then log in as before.')
    },
    credentialOf(own),
  )
}

export async function requests(options: SharedOptions & { all?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const query = options.all ? {} : { state: 'pending' }
    const answer = await client.json<{ requests: Request[] }>('GET', `${base(client)}/certificate-requests`, {
      query,
    })
    show(options, answer.requests, () =>
      table(answer.requests, [
        { title: 'ID', value: ({ id }) => id },
        { title: 'ACCOUNT', value: ({ account }) => account },
        { title: 'SUBJECT', value: ({ subject }) => subject },
        { title: 'NEW ISSUER', value: ({ issuer }) => issuer },
        { title: 'STATE', value: ({ state }) => state },
      ]),
    )
  })
}

export async function decide(
  decision: 'approve' | 'reject',
  id: string,
  options: SharedOptions & { motivation?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const path = `${base(client)}/certificate-requests/${encodeURIComponent(id)}/${decision}`
    const decided = await client.json<Request>('POST', path, {
      json: { motivation: options.motivation ?? '' },
    })
    show(options, decided, () => `${decided.subject} of ${decided.account}: ${decided.state}.`)
  })
}

export async function issued(account: string | undefined, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const path = `${base(client)}/certificates/issued`
    const { certificates } = await client.json<{ certificates: Issued[] }>('GET', path, {
      query: { account },
    })
    show(options, certificates, () =>
      table(certificates, [
        { title: 'SERIAL', value: ({ serial }) => serial },
        { title: 'SUBJECT', value: ({ subject }) => subject },
        { title: 'UNTIL', value: ({ notAfter }) => notAfter },
        { title: 'REVOKED', value: ({ revokedAt }) => revokedAt ?? '' },
      ]),
    )
  })
}

export async function revoke(serial: string, options: SharedOptions & { reason: string }): Promise<void> {
  await withClient(options, async (client) => {
    const path = `${base(client)}/certificates/issued/${encodeURIComponent(serial)}/revoke`
    await client.json('POST', path, { json: { reason: options.reason } })
    show(options, { serial, revoked: true }, () => 'Revoked.')
  })
}

/** The authorities of the grid as a directory for X509_CERT_DIR. */
export async function trust(options: SharedOptions & { out: string }): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<{ files: { name: string; content: string }[] }>('GET', '/ca/trust', {
      anonymous: true,
    })
    // The server is trusted to say whom to trust, not where to write.
    const files = answer.files.filter(({ name }) => /^[0-9a-f]{8}\.(0|signing_policy|crl_url)$/.test(name))
    mkdirSync(options.out, { recursive: true, mode: 0o755 })
    for (const { name, content } of files) writeFileSync(join(options.out, name), content, { mode: 0o644 })
    const names = files.map(({ name }) => name)
    show(options, { directory: options.out, files: names }, () => `export X509_CERT_DIR='${options.out}'`)
  })
}

export async function gridmap(options: SharedOptions & { groups?: boolean; pool?: string }): Promise<void> {
  await withClient(options, async (client) => {
    const query = { vo: client.place.vo, format: options.groups ? 'group' : 'grid', pool: options.pool }
    const text = await client.json<string>('GET', '/gridmap', { query })
    show(options, { text }, () => text ?? '')
  })
}

export async function importGridmap(
  file: string,
  options: SharedOptions & { issuer?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const body = { text: readFileSync(file, 'utf8'), ...(options.issuer && { issuer: options.issuer }) }
    const outcome = await client.json<{
      linked: number
      taken: string[]
      unknownAccounts: string[]
      skippedLines: number[]
    }>('POST', `${base(client)}/gridmap`, { json: body })
    const { linked, taken, unknownAccounts, skippedLines } = outcome
    show(options, outcome, () =>
      [
        `${linked} names linked; they are weak until their certificates are seen.`,
        ...(taken.length > 0 ? [`Of other accounts already: ${taken.join(' ')}`] : []),
        ...(unknownAccounts.length > 0 ? [`No such account: ${unknownAccounts.join(' ')}`] : []),
        ...(skippedLines.length > 0 ? [`Lines not used: ${skippedLines.join(' ')}`] : []),
      ].join('\n'),
    )
  })
}

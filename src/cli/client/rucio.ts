import type { GridClient } from './http.ts'
import { type Did, deterministicPath, didPath } from './names.ts'

export interface ListedFile extends Did {
  readonly bytes: number | null
  readonly adler32: string | null
  readonly md5: string | null
  readonly pfns: Readonly<Record<string, { readonly rse: string; readonly priority: number }>>
  readonly states?: Readonly<Record<string, string>>
}

export interface NewReplica extends Did {
  readonly bytes: number
  readonly adler32: string
  readonly md5: string
  readonly meta?: Readonly<Record<string, unknown>>
}

interface Protocol {
  readonly scheme: string
  readonly hostname: string
  readonly port: number
  readonly prefix: string
}
export interface Rse {
  readonly rse: string
  readonly availability_write?: boolean
  readonly protocols?: readonly Protocol[]
}

export interface ListedDid extends Did {
  readonly did_type?: string
  readonly type?: string
  readonly bytes: number | null
  readonly length?: number | null
  readonly adler32?: string | null
}

const path = (did: Did) => `/rucio/dids/${didPath(did)}`

export async function collect<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const line of lines) all.push(line)
  return all
}

export function listRses(client: GridClient, expression?: string): Promise<Rse[]> {
  return collect(client.lines<Rse>('GET', '/rucio/rses/', { query: { expression } }))
}

export function rseSettings(client: GridClient, name: string): Promise<Rse> {
  return client.json<Rse>('GET', `/rucio/rses/${encodeURIComponent(name)}`)
}

/** The address a file has at a deterministic storage. */
export function fileAddress(rse: Rse, did: Did): string | undefined {
  const protocol = rse.protocols?.find(({ scheme }) => scheme === 'https' || scheme === 'davs')
  if (!protocol) return undefined
  const prefix = `/${protocol.prefix}/`.replace(/\/{2,}/g, '/')
  return `https://${protocol.hostname}:${protocol.port}${prefix}${deterministicPath(did)}`
}

export function listReplicas(
  client: GridClient,
  dids: readonly Did[],
  allStates = false,
): AsyncGenerator<ListedFile> {
  return client.lines<ListedFile>('POST', '/rucio/replicas/list', {
    json: { dids: dids.map(({ scope, name }) => ({ scope, name })), all_states: allStates },
  })
}

export async function addReplicas(
  client: GridClient,
  rse: string,
  files: readonly NewReplica[],
): Promise<void> {
  if (files.length === 0) return
  await client.json('POST', '/rucio/replicas', {
    json: { rse, files: files.map((file) => ({ ...file, state: 'C' })) },
  })
}

export async function markAvailable(client: GridClient, rse: string, files: readonly Did[]): Promise<void> {
  if (files.length === 0) return
  const states = files.map(({ scope, name }) => ({ scope, name, state: 'A' }))
  await client.json('PUT', '/rucio/replicas', { json: { rse, files: states } })
}

export async function forgetReplicas(client: GridClient, rse: string, files: readonly Did[]): Promise<void> {
  if (files.length === 0) return
  const names = files.map(({ scope, name }) => ({ scope, name }))
  await client.json('DELETE', '/rucio/replicas', { json: { rse, files: names } })
}

export async function attachFiles(client: GridClient, dataset: Did, files: readonly Did[]): Promise<void> {
  if (files.length === 0) return
  const dids = files.map(({ scope, name }) => ({ scope, name }))
  await client.json('POST', '/rucio/dids/attachments', {
    json: { ignore_duplicate: true, attachments: [{ ...dataset, dids }] },
  })
}

export async function addDataset(
  client: GridClient,
  dataset: Did,
  meta: Record<string, unknown>,
): Promise<void> {
  await client.json('POST', path(dataset), {
    json: { type: 'DATASET', statuses: { monotonic: false }, meta },
  })
}

export async function setMetadata(
  client: GridClient,
  did: Did,
  meta: Record<string, unknown>,
): Promise<void> {
  if (Object.keys(meta).length > 0)
    await client.json('POST', `${path(did)}/meta`, { json: { meta, recursive: false } })
}

export function didMetadata(client: GridClient, did: Did): Promise<Record<string, unknown>> {
  return client.json('GET', `${path(did)}/meta`, { query: { plugin: 'ALL' } })
}

export function showDid(client: GridClient, did: Did): Promise<ListedDid> {
  return client.json<ListedDid>('GET', path(did), { query: { dynamic_depth: 'FILE' } })
}

export function listContent(client: GridClient, did: Did): AsyncGenerator<ListedDid> {
  return client.lines('GET', `${path(did)}/dids`)
}

export function searchDids(
  client: GridClient,
  scope: string,
  filters: Readonly<Record<string, string | number | boolean>>,
  options: { type: string; limit?: number | undefined; recursive?: boolean },
): AsyncGenerator<ListedDid> {
  return client.lines('GET', `/rucio/dids/${encodeURIComponent(scope)}/dids/search`, {
    query: {
      type: options.type,
      filters: pythonLiteral(filters),
      long: 'True',
      recursive: options.recursive ? 'True' : 'False',
      limit: options.limit,
    },
  })
}

/** The search reads its filters as the field's clients send them: a Python literal. */
function pythonLiteral(filters: Readonly<Record<string, string | number | boolean>>): string {
  const value = (v: string | number | boolean) =>
    typeof v === 'boolean' ? (v ? 'True' : 'False') : JSON.stringify(v)
  return `[{${Object.entries(filters)
    .map(([key, v]) => `${JSON.stringify(key)}: ${value(v)}`)
    .join(', ')}}]`
}

export async function accountName(client: GridClient): Promise<string> {
  return (await client.json<{ account: string }>('GET', '/rucio/accounts/whoami')).account
}

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { incomingFrom } from '../../software/format/incoming.ts'
import { publicKeysFrom } from '../../software/format/signed.ts'
import { keptListings } from '../../software/local/listings.ts'
import {
  type Fetch,
  type FetchStream,
  openRepository,
  type Repository,
  type Snapshot,
} from '../../software/reader/repository.ts'
import { fetchTogether } from '../../software/reader/together.ts'
import { failureOf } from '../client/failure.ts'
import type { Call, GridClient } from '../client/http.ts'
import type { SharedOptions } from '../common-options.ts'
import { cacheDirectory } from './cache.ts'

export interface ReadOptions extends SharedOptions {
  /** Address of a repository elsewhere: https://host/cvmfs/name. */
  readonly url?: string
  /** File with the public master key; asked of the grid otherwise. */
  readonly key?: string
}

export interface Opened {
  readonly repository: Repository
  readonly snapshot: Snapshot
  readonly fetch: Fetch
  readonly stream: FetchStream
}

/** A mirror fetches all of a great object before it gives it on. */
const GREAT_PATIENCE_MS = 600_000

/** `koto.example.org@release-08`: a repository and what of it; the newest without a tag. */
export function parseRelease(text: string): { name: string; of: string | undefined } {
  const at = text.indexOf('@')
  return at < 0 ? { name: text, of: undefined } : { name: text.slice(0, at), of: text.slice(at + 1) }
}

/** Opens a repository and verifies all the way from its master key to its manifest. */
export async function openRelease(
  client: GridClient,
  release: string,
  options: ReadOptions,
): Promise<Opened> {
  const { name, of } = parseRelease(release)
  const address = options.url?.replace(/\/+$/, '') ?? `${client.place.server}/cvmfs/${name}`
  const ask = async (path: string, call: Pick<Call, 'signal' | 'patienceMs'>) => {
    const answer = await client.send('GET', `${address}/${path}`, { anonymous: true, ...call })
    if (answer.status < 300) return answer
    const said = await text(answer.body)
    if (answer.status === 404) return undefined
    throw failureOf(answer.status, said, `GET ${address}/${path}`)
  }
  const single: Fetch = async (path, { signal } = {}) => {
    const answer = await ask(path, { signal })
    return answer && buffer(answer.body)
  }
  const stream: FetchStream = async (path, take, { signal } = {}) => {
    const answer = await ask(path, { signal, patienceMs: GREAT_PATIENCE_MS })
    return answer && take(incomingFrom(answer.headers, answer.body))
  }
  const fetchPack = async (paths: readonly string[]): Promise<Buffer | undefined> => {
    const answer = await client.send('POST', `${address}/objects`, { anonymous: true, json: { paths } })
    const bytes = await buffer(answer.body)
    return answer.status < 300 ? bytes : undefined
  }
  const masterPem = options.key ? readFileSync(options.key, 'utf8') : await masterKeyOf(client, name)
  // Another repository of this name at this address begins with small numbers again.
  const key = createHash('sha256').update(masterPem.trim()).digest('hex').slice(0, 16)
  const seen = join(cacheDirectory(), 'seen', `${new URL(address).host.replace(':', '_')}-${name}-${key}`)
  // Whatever serves repositories elsewhere gives single objects.
  const fetch = options.url ? single : fetchTogether(single, fetchPack)
  const repository = await openRepository({
    ...{ name, fetch, stream, now: new Date(), atLeast: revisionSeen(seen) },
    masterKeys: publicKeysFrom(masterPem),
    listings: keptListings(join(cacheDirectory(), 'catalogs')),
  })
  mkdirSync(dirname(seen), { recursive: true })
  writeFileSync(seen, String(repository.manifest.revision))
  return { repository, snapshot: await repository.snapshot(of), fetch, stream }
}

async function masterKeyOf(client: GridClient, name: string): Promise<string> {
  const path = `/kumi/v1/software/repositories/${encodeURIComponent(name)}`
  return (await client.json<{ masterPublicPem: string }>('GET', path)).masterPublicPem
}

function revisionSeen(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

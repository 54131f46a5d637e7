import { type Did, pfnOf, protocolsFor, type Rse, type RseTable } from '../catalog/index.ts'
import { formatScope, type Identity } from '../identity/index.ts'
import { type Db, isGridError, type Logger, transaction, type Worker } from '../kernel/index.ts'
import type { WebdavClient } from '../storage/index.ts'
import { lockJobs } from './end.store.ts'
import { attemptOver, invalidJob, noDestination } from './errors.ts'
import { bodiesOf } from './lease.store.ts'
import * as store from './outputs.store.ts'
import { jobBodyOf } from './read.store.ts'
import { isWithPilot } from './states.ts'
import type { Held } from './types.ts'

/** Where one file may be read or written, and the token for just that. */
export interface Address {
  readonly rse: string
  readonly url: string
  readonly token: string
}

export interface AddressDeps {
  readonly db: Db
  readonly rses: RseTable
  readonly identity: Pick<Identity, 'mint'>
}

const TOKEN_SECONDS = 6 * 3600
/** Storages offered for one file: when the first is away, finished work goes to another. */
const PLACES = 3
/** A start that did not end within this time has lost its uploads, whatever became of it. */
const KEEP_UPLOADS_MS = 16 * 86_400_000

/** The address of a file at a storage with a token for it alone; undefined where the storage speaks no https. */
export async function addressOf(
  { identity }: Pick<AddressDeps, 'identity'>,
  rse: Rse,
  did: Did,
  operation: 'read' | 'create' | 'modify',
  path: string | null = null,
): Promise<Address | undefined> {
  const domain = operation === 'read' ? 'read' : operation === 'create' ? 'write' : 'delete'
  const protocol = protocolsFor(rse, domain).find(({ scheme }) => scheme === 'https' || scheme === 'davs')
  if (!protocol) return undefined
  const endpoint = `https://${protocol.hostname}:${protocol.port || 443}`
  const all = pfnOf(rse, protocol, did, path)
    .replace(/^[a-z]+:\/\/[^/]*/, '')
    .split('/')
    .filter(Boolean)
  const segments = all[0] === rse.vo ? all.slice(1) : all
  const { token } = await identity.mint({
    ...{ vo: rse.vo, accountId: null, audience: [endpoint], lifetimeSeconds: TOKEN_SECONDS },
    scopes: [formatScope({ family: 'storage', op: operation, segments, dirOnly: false })],
  })
  return { rse: rse.name, url: `${endpoint}/${all.map(encodeURIComponent).join('/')}`, token }
}

/** Reads a file at its storage piece by piece, each with a token for that file alone. Throws no_destination, and what storages tell. */
export function rangeReader({
  identity,
  client,
}: Pick<AddressDeps, 'identity'> & { readonly client: Pick<WebdavClient, 'get'> }) {
  return async (rse: Rse, did: Did): Promise<(from: number, bytes: number) => Promise<Uint8Array>> => {
    const at = await addressOf({ identity }, rse, did, 'read')
    if (!at) throw noDestination(`${rse.name} has no https address to read from.`)
    return async (from, bytes) => {
      const parts: Uint8Array[] = []
      const range = { start: from, end: from + bytes - 1 }
      for await (const part of await client.get(at.url, at.token, { range })) parts.push(part)
      return Buffer.concat(parts)
    }
  }
}

export interface WishedUpload {
  /** Which of the job's outputs it belongs to. */
  readonly output: number
  /** Name in the working directory. */
  readonly file: string
}

export interface PromisedUpload extends Did {
  readonly file: string
  /** Best first; any of them will do. */
  readonly places: readonly Address[]
}

/**
 * Names the files that a start has made and says where it may put them. The server chooses name and place; the name
 * carries job and attempt, so that no two starts can ever write the same file. Throws attempt_over, no_destination.
 */
export async function promiseOutputs(
  deps: AddressDeps,
  input: Held & { vo: string; pilotId: bigint; site: string; now: Date; files: readonly WishedUpload[] },
): Promise<PromisedUpload[]> {
  const { jobId, attempt, vo, now, files } = input
  const spec = (await bodiesOf(deps.db, [await jobBodyOf(deps.db, jobId)])).values().next().value
  const all = await deps.rses.all(vo)
  const wanted = spec?.destination ? await deps.rses.match(vo, spec.destination) : all
  const places = wanted
    .filter((rse) => rse.kind === 'DISK' && rse.canWrite)
    .sort((a, b) => nearness(b, input.site) - nearness(a, input.site) || (a.name < b.name ? -1 : 1))
    .slice(0, PLACES)
  const promised = files.map(({ output, file }) => {
    const wish = spec?.outputs[output]
    if (!wish) throw invalidJob(`Job ${jobId} has no output number ${output}.`)
    return { file, scope: wish.dataset.scope, name: outputName(file, jobId, attempt) }
  })
  if (new Set(promised.map(({ name }) => name)).size < promised.length)
    throw invalidJob('Two output files have the same name.')
  const removeAt = new Date(now.getTime() + KEEP_UPLOADS_MS)
  await transaction(deps.db, async (tx) => {
    const [job] = await lockJobs(tx, vo, [jobId])
    if (job?.attempt !== attempt || job.pilotId !== input.pilotId || !isWithPilot(job.state))
      throw attemptOver(`Start ${attempt} of job ${jobId} is over.`)
    await store.promiseUploads(
      tx,
      removeAt,
      promised.flatMap(({ scope, name }) =>
        places.map((rse, place) => ({ jobId, attempt, scope, name, rseId: rse.id, place })),
      ),
    )
  })
  return Promise.all(
    promised.map(async ({ file, scope, name }) => {
      const addresses = await Promise.all(
        places.map((rse) => addressOf(deps, rse, { scope, name }, 'create')),
      )
      const usable = addresses.filter((address) => address !== undefined)
      if (usable.length === 0)
        throw noDestination(`No storage takes the outputs of job ${jobId} (${spec?.destination ?? 'any'}).`)
      return { file, scope, name, places: usable }
    }),
  )
}

const nearness = (rse: Rse, site: string): number => (rse.attributes.site === site ? 1 : 0)

/** `hist.root` of start 2 of job 17 is `hist_000000017_02.root`: directories and strange characters become `_`. */
export function outputName(file: string, jobId: bigint, attempt: number): string {
  const plain = file.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[._-]+/, '') || 'output'
  const dot = plain.lastIndexOf('.')
  const [stem, ending] = dot > 0 ? [plain.slice(0, dot), plain.slice(dot)] : [plain, '']
  const numbers = `_${String(jobId).padStart(9, '0')}_${String(attempt).padStart(2, '0')}`
  return `${stem.slice(0, 180)}${numbers}${ending.slice(0, 40)}`
}

const BATCH = 200
const TRY_AGAIN_MS = 600_000
const GIVE_UP_AFTER = 1000

/** Removes from storages what starts wrote that never ended well. */
export function leftoverWorker(
  deps: AddressDeps & {
    readonly log: Logger
    readonly remove: (url: string, token: string) => Promise<boolean>
  },
): Worker {
  return {
    name: 'job-leftovers',
    wakeOn: [],
    async tick(now) {
      const again = new Date(now.getTime() + TRY_AGAIN_MS)
      const found = await store.takeLeftovers(deps.db, now, again, BATCH)
      const gone: store.Leftover[] = []
      const later: store.Leftover[] = []
      for (const file of found) {
        const rse = await deps.rses.byId(file.vo, file.rseId)
        const address = rse && (await addressOf(deps, rse, file, 'modify'))
        try {
          if (address) await deps.remove(address.url, address.token)
          // Whoever held the token may still be writing: it is looked at once more when no token is left.
          const safe = file.endedAt.getTime() + TOKEN_SECONDS * 1000 + TRY_AGAIN_MS < now.getTime()
          ;(safe ? gone : later).push(file)
        } catch (error) {
          if (!isGridError(error) || file.tries > GIVE_UP_AFTER) gone.push(file)
          deps.log.debug({ err: error, file: `${file.scope}:${file.name}` }, 'leftover not removed yet')
        }
      }
      await store.putOffUploads(deps.db, gone, null)
      await store.putOffUploads(
        deps.db,
        later,
        new Date(now.getTime() + TOKEN_SECONDS * 1000 + 2 * TRY_AGAIN_MS),
      )
      return { changed: found.length === BATCH ? BATCH : 0, nextWake: null }
    },
  }
}

import { stat } from 'node:fs/promises'
import { eachOf } from '../../kernel/each.ts'
import { defineError, isGridError } from '../../kernel/errors.ts'
import type { GridClient } from '../client/http.ts'
import { type Did, didText } from '../client/names.ts'
import * as rucio from '../client/rucio.ts'
import { putFile, storedAt } from '../client/storage.ts'
import type { Progress } from '../progress.ts'
import { digestFile, type LocalFile } from './local-files.ts'
import { readRootEvents } from './root-events.ts'

const noStorage = defineError('missing', 'no_storage')
const otherContent = defineError('conflict', 'other_content')

export interface PutOrder {
  readonly files: readonly LocalFile[]
  readonly scope: string
  readonly rse?: string | undefined
  readonly dataset?: Did | undefined
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly treeName?: string | undefined
  readonly concurrency?: number
}

export interface PutSummary {
  readonly rse: string
  readonly files: number
  readonly bytes: number
  /** Sent now. */
  readonly stored: number
  /** Were there already, with the same content. */
  readonly present: number
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

interface Piece extends rucio.NewReplica {
  readonly path: string
  readonly url: string
}

/** Files per call to the catalogue. */
const BATCH = 100

/**
 * Stores files and registers them: announced first, available only after the storage has them, attached last. Doing it
 * again does only what is missing, so an interrupted put is continued by repeating it.
 */
export async function putFiles(
  client: GridClient,
  order: PutOrder,
  progress: Progress,
  signal?: AbortSignal,
): Promise<PutSummary> {
  const rse = await chooseStorage(client, order.rse)
  const metadata = order.metadata ?? {}
  if (order.dataset) await ensureDataset(client, order.dataset, metadata)
  const failed: { name: string; message: string }[] = []
  let stored = 0
  let present = 0
  let bytes = 0
  for (let from = 0; from < order.files.length && !signal?.aborted; from += BATCH) {
    const batch = await prepare(order, rse, order.files.slice(from, from + BATCH), signal)
    const plan = await compare(client, rse.rse, batch)
    failed.push(...plan.conflicts)
    for (const piece of plan.available) progress.add(piece.bytes, 1)
    await announce(client, rse.rse, plan.unknown, order.scope)

    const sent: Piece[] = []
    const toSend = [...plan.unknown, ...plan.halfDone]
    const failures = await eachOf(toSend, order.concurrency ?? 8, async (piece) => {
      if (signal?.aborted) throw signal.reason
      let counted = 0
      const count = (more: number) => {
        counted += more
        progress.add(more)
      }
      try {
        await store(client, piece, plan.halfDone.includes(piece), count, signal)
      } catch (error) {
        progress.add(-counted)
        throw error
      }
      progress.add(piece.bytes - counted, 1)
      sent.push(piece)
    })
    await rucio.markAvailable(client, rse.rse, sent)
    if (order.dataset) await rucio.attachFiles(client, order.dataset, [...sent, ...plan.available])
    const announced = failures.map(({ item }) => item).filter((piece) => plan.unknown.includes(piece))
    await withdraw(client, rse.rse, announced, progress)
    failed.push(
      ...failures.map(({ item, error }) => ({ name: didText(item), message: messageOf(error, signal) })),
    )
    stored += sent.length
    present += plan.available.length
    bytes += [...sent, ...plan.available].reduce((sum, piece) => sum + piece.bytes, 0)
  }
  const missing = order.files.length - stored - present - failed.length
  if (missing > 0) failed.push({ name: `${missing} files`, message: 'interrupted before they were begun' })
  return { rse: rse.rse, files: order.files.length, bytes, stored, present, failed }
}

async function chooseStorage(client: GridClient, wanted: string | undefined): Promise<rucio.Rse> {
  if (wanted) return rucio.rseSettings(client, wanted)
  const all = await rucio.listRses(client)
  const writable = all.find((rse) => rse.availability_write !== false)
  if (!writable)
    throw noStorage('No storage of this grid can be written to.', { hint: 'Look at them with: kumi rse ls' })
  return rucio.rseSettings(client, writable.rse)
}

async function ensureDataset(
  client: GridClient,
  dataset: Did,
  metadata: Record<string, unknown>,
): Promise<void> {
  try {
    await withScope(client, dataset.scope, () => rucio.addDataset(client, dataset, metadata))
  } catch (error) {
    if (!isGridError(error) || error.kind !== 'conflict') throw error
    await rucio.setMetadata(client, dataset, metadata)
  }
}

/** Does `work`, creating the scope first if that was all it lacked. */
async function withScope(client: GridClient, scope: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isGridError(error, 'ScopeNotFound')) throw error
    const account = await rucio.accountName(client)
    await client.json('POST', `/rucio/accounts/${account}/scopes/${encodeURIComponent(scope)}`)
    await work()
  }
}

async function prepare(
  order: PutOrder,
  rse: rucio.Rse,
  files: readonly LocalFile[],
  signal?: AbortSignal,
): Promise<Piece[]> {
  const pieces: (Piece | undefined)[] = []
  const failures = await eachOf([...files.keys()], 4, async (i) => {
    const file = files[i]!
    const digests = await digestFile(file.path, signal)
    const did = { scope: order.scope, name: file.name }
    const url = rucio.fileAddress(rse, did)
    if (!url) throw noStorage(`${rse.rse} has no https address to write to.`)
    const meta = { ...order.metadata, ...(await eventsOf(file, order.treeName)), ...file.metadata }
    pieces[i] = { ...did, ...digests, url, path: file.path, ...(Object.keys(meta).length > 0 && { meta }) }
  })
  if (failures[0]) throw failures[0].error
  return pieces.filter((piece) => piece !== undefined)
}

async function eventsOf(file: LocalFile, treeName: string | undefined): Promise<{ events?: number }> {
  if (!file.name.endsWith('.root') || file.metadata?.events !== undefined) return {}
  const events = await readRootEvents(file.path, treeName).catch(() => undefined)
  return events === undefined ? {} : { events }
}

async function compare(client: GridClient, rse: string, pieces: readonly Piece[]) {
  const known = new Map<string, rucio.ListedFile>()
  try {
    for await (const file of rucio.listReplicas(client, pieces, true)) known.set(didText(file), file)
  } catch (error) {
    if (!isGridError(error) || error.kind !== 'missing') throw error
  }
  const unknown: Piece[] = []
  const halfDone: Piece[] = []
  const available: Piece[] = []
  const conflicts: { name: string; message: string }[] = []
  for (const piece of pieces) {
    const there = known.get(didText(piece))
    const state = there?.states?.[rse]
    if (
      there &&
      (Number(there.bytes) !== piece.bytes || (there.adler32 && there.adler32 !== piece.adler32))
    ) {
      const message = otherContent(
        'The catalogue has this name with other content; give the file another name.',
      ).message
      conflicts.push({ name: didText(piece), message })
    } else if (state === 'AVAILABLE') available.push(piece)
    else if (state !== undefined) halfDone.push(piece)
    else unknown.push(piece)
  }
  return { unknown, halfDone, available, conflicts }
}

function announce(client: GridClient, rse: string, pieces: readonly Piece[], scope: string): Promise<void> {
  const replicas = pieces.map(({ path: _path, url: _url, ...replica }) => replica)
  return withScope(client, scope, () => rucio.addReplicas(client, rse, replicas))
}

async function store(
  client: GridClient,
  piece: Piece,
  mayBeThere: boolean,
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const there = mayBeThere ? await storedAt(client, piece.url, signal) : undefined
  if (there?.bytes === piece.bytes && there.adler32 === piece.adler32) return
  await putFile(client, piece.url, piece, onBytes, signal)
}

/** What was announced but not stored is taken back, so that nothing waits for bytes that never come. */
async function withdraw(
  client: GridClient,
  rse: string,
  pieces: readonly Piece[],
  progress: Progress,
): Promise<void> {
  try {
    await rucio.forgetReplicas(client, rse, pieces)
  } catch (error) {
    progress.say(
      `${pieces.length} announced files could not be taken back (${messageOf(error)}); putting them again repairs that.`,
    )
  }
}

function messageOf(error: unknown, signal?: AbortSignal): string {
  if (signal?.aborted) return 'interrupted'
  return error instanceof Error ? error.message : String(error)
}

/** Bytes of all files, for the progress line. */
export async function totalBytes(files: readonly LocalFile[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file.path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

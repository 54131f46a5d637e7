import {
  availableCopies,
  getDidsByIds,
  type RseTable,
  readReplicas,
  type SourceCopy,
} from '../catalog/index.ts'
import { type Db, isGridError, type Rng, transaction } from '../kernel/index.ts'
import { chooseSource, type SourceCandidate } from './choose-source.ts'
import type { TransferError } from './classify.ts'
import type { FairShares, Queue } from './fair-shares.ts'
import type { Links } from './links.ts'
import type { FileFacts, Place } from './mover.ts'
import { createProbes, type Probes } from './probes.ts'
import { type Side, takeProbes } from './storage-fault.store.ts'
import { type StorageHealth, sideKey } from './storage-health.ts'
import * as store from './transfer.store.ts'

export interface ClaimDeps {
  readonly db: Db
  readonly rng: Rng
  readonly owner: string
  readonly rses: RseTable
  readonly links: Links
  readonly health: StorageHealth
  readonly shares: FairShares
  readonly siteUp: (vo: string, rseName: string) => boolean | Promise<boolean>
}

/** A start that is ours: what to move, or why it cannot be moved. */
export interface Claimed {
  readonly row: store.TransferRow
  readonly attempt: number
  readonly move: { readonly source: Place; readonly destination: Place; readonly expected: FileFacts } | null
  /** Blocked storages that it finds out about. */
  readonly probes: readonly Side[]
  readonly error: TransferError | null
}

export const LEASE_MS = 20_000
/** Rows looked at beyond the free slots, so that a few that must wait do not hold up the rest. */
const LOOK_AHEAD = 64
const AWAY_PAUSE_MS = 3_000

interface Facts {
  readonly copies: ReadonlyMap<bigint, SourceCopy[]>
  readonly files: ReadonlyMap<bigint, { scope: string; name: string } & FileFacts>
  /** Explicit paths at the destinations, by file and RSE. */
  readonly paths: ReadonlyMap<string, string>
}

/**
 * Takes up to `slots` queued transfers, each with the source it shall come from. Which of the queues goes first is a
 * matter of fair shares; a storage that is blocked gets none, one that is due for an attempt gets one.
 */
export async function claimTransfers(deps: ClaimDeps, now: Date, slots: number): Promise<Claimed[]> {
  const up = upOnce(deps)
  const [{ blocked, due }, waitingQueues] = await Promise.all([
    deps.health.read(deps.db, now),
    store.dueQueues(deps.db, now),
  ])
  const queues: Queue[] = []
  for (const queue of waitingQueues) {
    if (blocked.has(sideKey({ rseId: queue.rseId, side: 'destination' }))) continue
    const rse = await deps.rses.byId(queue.vo, queue.rseId)
    if (!rse || (rse.canWrite && (await up(queue.vo, rse.name)))) queues.push(queue)
  }
  if (queues.length === 0 || slots <= 0) return []
  // A transaction that is run again, or fails, must not leave its links looking busy.
  let counted: [number, number][] = []
  const uncount = () => {
    for (const [src, dst] of counted) deps.links.ended(src, dst, { finished: false, overload: false })
    counted = []
  }
  return transaction(deps.db, async (tx) => {
    uncount()
    const probes = createProbes(blocked, due.size > 0 ? await takeProbes(tx, now) : [], due)
    const perQueue = slots + Math.ceil(LOOK_AHEAD / queues.length)
    // Not those of a storage that somebody else is about to try: he needs a row.
    const mine = queues.filter(({ rseId }) => probes.free({ rseId, side: 'destination' }))
    const rows = await store.lockQueued(tx, { queues: mine, perQueue, now })
    const facts = await readFacts(tx, rows)
    const claimed: Claimed[] = []
    const away: string[] = []
    const waiting = mine.map((queue) => ({ ...queue, rows: rows.filter((row) => isOf(queue, row)) }))
    while (claimed.length < slots) {
      const queue = deps.shares.next(waiting.filter((line) => line.rows.length > 0))
      if (!queue) break
      const row = queue.rows.shift()!
      if (!probes.free({ rseId: row.dstRseId, side: 'destination' })) continue
      const choice = await chooseFor(deps, facts, row, up, probes, now)
      if (choice === 'busy') continue
      if (choice === 'away') {
        away.push(row.id)
        continue
      }
      if (!choice.move) {
        claimed.push(choice)
        continue
      }
      const src = choice.move.source.rse.id
      claimed.push({ ...choice, probes: probes.use(src, row.dstRseId) })
      deps.shares.served(queue, row.bytes)
      deps.links.started(src, row.dstRseId)
      counted.push([src, row.dstRseId])
    }
    await probes.giveBack(tx, now)
    const starts = claimed.map((c) => ({ id: c.row.id, srcRseId: c.move?.source.rse.id ?? null }))
    const leaseUntil = new Date(now.getTime() + LEASE_MS)
    if (starts.length > 0) await store.startTransfers(tx, { now, owner: deps.owner, leaseUntil, starts })
    await store.postpone(tx, away, new Date(now.getTime() + AWAY_PAUSE_MS))
    return claimed
  }).catch((error) => {
    uncount()
    throw error
  })
}

const isOf = (queue: Queue, row: store.TransferRow): boolean =>
  row.dstRseId === queue.rseId && row.activity === queue.activity && row.vo === queue.vo

function upOnce({ siteUp }: ClaimDeps): (vo: string, rse: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>()
  return (vo, rse) => {
    const key = `${vo} ${rse}`
    let answer = known.get(key)
    if (!answer) {
      answer = Promise.resolve(siteUp(vo, rse))
      known.set(key, answer)
    }
    return answer
  }
}

async function readFacts(tx: Db, rows: readonly store.TransferRow[]): Promise<Facts> {
  const ids = [...new Set(rows.map((row) => row.fileId))]
  if (ids.length === 0) return { copies: new Map(), files: new Map(), paths: new Map() }
  const copies = new Map<bigint, SourceCopy[]>()
  for (const copy of await availableCopies(tx, ids)) {
    const known = copies.get(copy.fileId)
    if (known) known.push(copy)
    else copies.set(copy.fileId, [copy])
  }
  const files = new Map(
    (await getDidsByIds(tx, ids)).flatMap((did) => (did.kind === 'FILE' ? [[did.id, did]] : [])),
  )
  const targets = await readReplicas(
    tx,
    rows.map(({ fileId, dstRseId }) => ({ fileId, rseId: dstRseId })),
  )
  const paths = new Map(targets.flatMap((r) => (r.path === null ? [] : [[`${r.fileId} ${r.rseId}`, r.path]])))
  return { copies, files, paths }
}

async function chooseFor(
  deps: ClaimDeps,
  facts: Facts,
  row: store.TransferRow,
  up: (vo: string, rse: string) => Promise<boolean>,
  probes: Probes,
  now: Date,
): Promise<Claimed | 'busy' | 'away'> {
  const attempt = row.attempt + 1
  const cannot = (code: string, message: string, party: TransferError['party'] = 'source'): Claimed => ({
    row,
    attempt,
    move: null,
    probes: [],
    error: { code, message, party },
  })
  const file = facts.files.get(row.fileId)
  const destination = await deps.rses.byId(row.vo, row.dstRseId)
  if (!file || !destination)
    return cannot('destination_changed', 'The file or the destination no longer exists.', 'transfer')
  if (now > row.deadline) {
    const last = row.lastError ? ` Last error: ${row.lastError.message}` : ''
    return cannot('transfer_expired', `It did not succeed in time.${last}`, 'transfer')
  }
  const { candidates, places, unreadable } = await candidatesOf(deps, facts, row, up, probes)
  if (candidates === null)
    return cannot('no_source', `No RSE matches the source expression ${row.sourceExpression}.`)
  const choice = chooseSource(candidates, deps.rng)
  if (choice.kind === 'none') {
    if (choice.why === 'all_bad' && row.lastError) return cannot(row.lastError.code, row.lastError.message)
    const closed = unreadable.length > 0 ? ` ${unreadable.join(', ')} has one but is closed for reading.` : ''
    return cannot('no_source', `There is no good copy of ${file.scope}:${file.name} to read from.${closed}`)
  }
  if (choice.kind === 'wait') {
    if (choice.why === 'busy') for (const c of candidates) if (c.up) deps.links.full(c.rseId, row.dstRseId)
    return choice.why
  }
  const { bytes, adler32, md5 } = file
  const path = facts.paths.get(`${row.fileId} ${row.dstRseId}`) ?? null
  const did = { scope: file.scope, name: file.name }
  return {
    row,
    attempt,
    probes: [],
    error: null,
    move: {
      source: { ...places.get(choice.source.rseId)!, did },
      destination: { vo: row.vo, rse: destination, did, path },
      expected: { bytes, adler32, md5 },
    },
  }
}

async function candidatesOf(
  deps: ClaimDeps,
  facts: Facts,
  row: store.TransferRow,
  up: (vo: string, rse: string) => Promise<boolean>,
  probes: Probes,
): Promise<{
  candidates: SourceCandidate[] | null
  places: Map<number, Omit<Place, 'did'>>
  unreadable: string[]
}> {
  const { vo, dstRseId, lastError } = row
  const allowed = row.sourceExpression === null ? undefined : await matching(deps, vo, row.sourceExpression)
  const places = new Map<number, Omit<Place, 'did'>>()
  const unreadable: string[] = []
  const candidates: SourceCandidate[] = []
  if (allowed === null) return { candidates: null, places, unreadable }
  for (const { rseId, path } of facts.copies.get(row.fileId) ?? []) {
    const rse = await deps.rses.byId(vo, rseId)
    if (!rse || rseId === dstRseId || (allowed && !allowed.has(rseId))) continue
    if (!rse.canRead) {
      unreadable.push(rse.name)
      continue
    }
    const [failed, bad] = lastError?.sources?.[rseId] ?? [0, 0]
    const side = { rseId, side: 'source' } as const
    // Whoever has another source leaves it to others to find out whether a blocked one works again.
    const failures = failed + (probes.isDue(side) ? 1000 : 0)
    places.set(rseId, { vo, rse, path })
    candidates.push({
      rseId,
      path,
      failures,
      bad,
      up: probes.free(side) && (await up(vo, rse.name)),
      ...deps.links.active(rseId, dstRseId, row.bytes),
    })
  }
  return { candidates, places, unreadable }
}

async function matching({ rses }: ClaimDeps, vo: string, expression: string): Promise<Set<number> | null> {
  try {
    return new Set((await rses.match(vo, expression)).map((rse) => rse.id))
  } catch (error) {
    if (isGridError(error)) return null
    throw error
  }
}

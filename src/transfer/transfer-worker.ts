import { hostname } from 'node:os'
import type { RseTable } from '../catalog/index.ts'
import {
  type Clock,
  counter,
  type Db,
  type Ids,
  type Logger,
  type Rng,
  type TickResult,
  type Worker,
  wake,
} from '../kernel/index.ts'
import { type Claimed, claimTransfers, LEASE_MS } from './claim.ts'
import { classify, describeError, faultySide, nextTry } from './classify.ts'
import { createFairShares } from './fair-shares.ts'
import { commitEndings, type Ending, type Settle } from './finish.ts'
import { putLinks, readLinks } from './link.store.ts'
import { createLinks } from './links.ts'
import { type MoveProgress, moveOne, stalled } from './move-one.ts'
import type { Mover } from './mover.ts'
import { TRANSFER_WISHES, TRANSFERS_CANCELED } from './request.ts'
import type { Side } from './storage-fault.store.ts'
import { createStorageHealth, sideKey } from './storage-health.ts'
import * as store from './transfer.store.ts'

export interface TransferWorkerOptions {
  readonly db: Db
  readonly clock: Clock
  readonly rng: Rng
  readonly ids: Ids
  readonly log: Logger
  readonly rses: RseTable
  readonly mover: Mover
  /** Runs inside the transaction that commits outcomes. */
  readonly settle: Settle
  /** Whether an RSE's site can be reached; nothing is started from or to one that cannot. Default: all are. */
  readonly siteUp?: (vo: string, rseName: string) => boolean | Promise<boolean>
  /** Copies at once, all links together. */
  readonly maxActive: number
  /** What an activity gets where several wait for one storage; default: all the same. */
  readonly activityWeight?: (activity: string) => number
}

/** Workers for `runWorkers`; after those have stopped, `drain` gives back what is still running. */
export type TransferWorkers = readonly Worker[] & { drain(): Promise<void> }

interface Run {
  readonly claimed: Claimed
  readonly abort: AbortController
  readonly progress: MoveProgress
  /** Waits for its turn on the link; then bytes move; ended: only the commit is missing. */
  phase: 'waiting' | 'moving' | 'ended'
  renewedAt: number
  writtenBytes: bigint
}

const RENEW_MS = 5_000
const FLUSH_MS = 900
/** Endings wait for each other so long, unless there are many or nothing else is on its way. */
const GATHER_MS = 400
const MANY_IN_COMMIT = 32
const MOST_IN_COMMIT = 100
const SWEEP_MS = 1_000
const STARTED = 'transfer_started'
const LOST = new Error('The lease of this transfer was lost')
const BLOCKED = new Error('A storage of this transfer was found to be at fault before its turn came')

const endings = counter('grid_transfer_outcomes_total', 'Starts of transfers by how they ended', ['result'])
const movedBytes = counter('grid_transfer_moved_bytes_total', 'Bytes moved between storages')

export function createTransferWorkers(options: TransferWorkerOptions): TransferWorkers {
  const { db, clock, rng, ids, log, mover, settle, maxActive } = options
  const owner = `${hostname()}:${process.pid}:${ids.secret(6)}`
  const links = createLinks(maxActive)
  const siteUp = options.siteUp ?? (() => true)
  const health = createStorageHealth()
  const shares = createFairShares(options.activityWeight ?? (() => 1))
  const claims = { db, rng, owner, rses: options.rses, links, health, shares, siteUp }
  const runs = new Map<string, Run>()
  const moves = new Set<Promise<void>>()
  /** Claimed and not ended: copies, and those that wait for their turn. */
  let taken = 0
  const mostTaken = 2 * maxActive
  let waiting: Ending[] = []
  let committing: Promise<void> | undefined
  let gathering: AbortController | undefined
  let claiming: Promise<number> | undefined
  let claimAgain = false
  let stopping = false
  let sweptAt = -Infinity
  let flushedAt = -Infinity

  const stopWith = (signal: AbortSignal): void => {
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  }
  const watched = new WeakSet<AbortSignal>()
  function stop(): void {
    stopping = true
    hurry()
    for (const run of runs.values()) run.abort.abort()
  }

  /** Fills free slots; calls while one is under way lead to one more. */
  async function fill(): Promise<number> {
    if (claiming) {
      claimAgain = true
      return claiming
    }
    claiming = fillOnce().finally(() => {
      claiming = undefined
      if (claimAgain && !stopping) fillSoon()
    })
    return claiming
  }
  async function fillOnce(): Promise<number> {
    let total = 0
    do {
      claimAgain = false
      const found = stopping ? [] : await claimTransfers(claims, clock.now(), mostTaken - taken)
      const idle = runs.size === 0
      for (const claimed of found) begin(claimed)
      if (idle && found.length > 0) await wake(db, STARTED)
      total += found.length
      if (found.length > 0 && taken < mostTaken) claimAgain = true
    } while (claimAgain && !stopping)
    return total
  }
  function fillSoon(): void {
    fill().catch((error) => log.warn({ err: error }, 'transfers cannot be claimed at the moment'))
  }

  function begin(claimed: Claimed): void {
    const at = clock.now().getTime()
    const run: Run = {
      claimed,
      abort: new AbortController(),
      progress: { bytes: 0n, verifying: false, movedAt: at },
      phase: 'waiting',
      renewedAt: at,
      writtenBytes: 0n,
    }
    runs.set(claimed.row.id, run)
    taken++
    const move = runOne(run).finally(() => moves.delete(move))
    moves.add(move)
    if (stopping) run.abort.abort()
  }

  async function runOne(run: Run): Promise<void> {
    const { row, move, attempt } = run.claimed
    const src = move?.source.rse.id ?? null
    const base = { row, attempt, srcRseId: src, error: null }
    let ending: Ending
    let kind: string | undefined
    let more = true
    if (!move) ending = { ...base, result: 'failed', error: run.claimed.error }
    else {
      const link = [move.source.rse.id, row.dstRseId] as const
      const wanted = { ...move, overwrite: row.overwrite, lookFirst: attempt > 1 }
      const moved = (bytes: number): void => {
        movedBytes.inc(bytes)
        links.moved(...link, bytes)
      }
      try {
        await links.turn(...link, run.abort.signal)
        run.phase = 'moving'
        const watch = { clock, signal: run.abort.signal, moved }
        ending = { ...base, result: await moveOne(mover, wanted, run.progress, watch) }
        observe(run.claimed, null)
      } catch (thrown) {
        const error = run.abort.signal.aborted ? run.abort.signal.reason : thrown
        if (error === BLOCKED) ending = { ...base, result: 'released' }
        else {
          observe(run.claimed, error)
          kind = classify(error)
          ending =
            stopping && run.abort.signal.aborted ? { ...base, result: 'released' } : afterFailure(run, error)
        }
      }
      if (run.phase === 'moving') links.turnEnded(...link)
      const finished = ending.result === 'done' || ending.result === 'adopted'
      links.ended(...link, { finished, overload: kind === 'overload' })
      more = links.thirsty(...link)
    }
    run.phase = 'ended'
    taken--
    if (run.abort.signal.reason === LOST) {
      if (runs.get(row.id) === run) runs.delete(row.id)
    } else {
      waiting.push(ending)
      commitSoon()
    }
    hurry()
    if (more && !stopping) fillSoon()
  }

  /** What a move that ended says about its two storages; null: it succeeded. */
  function observe({ move, probes }: Claimed, error: unknown): void {
    const faulty = error === null ? null : faultySide(error)
    for (const side of sidesOf(move!)) {
      const saw = error === null ? 'success' : faulty === side.side ? 'fault' : 'nothing'
      const probe = probes.some((p) => sideKey(p) === sideKey(side))
      const reason = error === null ? '' : describeError(error).message
      const blocked = health.observe({ ...side, saw, reason, probe, at: clock.now() })
      if (blocked) giveBack(new Set([sideKey(side)]))
    }
  }

  /** What was claimed ahead for a storage that is blocked now would only fail; those that find out about it stay. */
  function giveBack(blocked: ReadonlySet<string>): void {
    for (const { phase, claimed, abort } of runs.values()) {
      if (phase !== 'waiting' || !claimed.move || claimed.probes.length > 0) continue
      if (sidesOf(claimed.move).some((side) => blocked.has(sideKey(side)))) abort.abort(BLOCKED)
    }
  }

  function afterFailure(run: Run, thrown: unknown): Ending {
    const { row, attempt, move } = run.claimed
    const kind = classify(thrown)
    const error = describeError(thrown)
    const src = move!.source.rse.id
    const times = { now: clock.now(), deadline: row.deadline }
    const { tries, at } = nextTry(row, kind, times, rng)
    const known = row.lastError?.sources ?? {}
    const [failures, bad] = known[src] ?? [0, 0]
    const counts = error.party === 'destination' ? 0 : 1
    const sources = { ...known, [src]: [failures + counts, bad + (kind === 'source_bad' ? 1 : 0)] as const }
    log.info({ transfer: row.id, attempt, kind, ...error, nextTry: at }, 'copy did not succeed')
    const suspicious = kind === 'source_bad'
    const base = { row, attempt, srcRseId: src, error, tries, sources, suspicious }
    return at ? { ...base, result: 'retrying', nextTry: at } : { ...base, result: 'failed' }
  }

  /** What ends together is committed together. */
  async function gathered(): Promise<void> {
    gathering = new AbortController()
    hurry()
    await clock.sleep(GATHER_MS, gathering.signal)
    gathering = undefined
  }
  function hurry(): void {
    if (taken === 0 || stopping || waiting.length >= MANY_IN_COMMIT) gathering?.abort()
  }

  function commitSoon(): void {
    committing ??= commitAll().finally(() => {
      committing = undefined
      if (waiting.length > 0) commitSoon()
    })
  }
  async function commitAll(): Promise<void> {
    let failures = 0
    while (waiting.length > 0) {
      if (failures === 0) await gathered()
      const batch = waiting.slice(0, MOST_IN_COMMIT)
      try {
        const settled = await commitEndings(db, { now: clock.now(), owner, endings: batch, settle })
        for (const { result } of settled) endings.inc({ result })
        failures = 0
      } catch (error) {
        log.warn({ err: error, transfers: batch.length }, 'outcomes of transfers cannot be written yet')
        // Only for as long as the leases may live; then the rows start again elsewhere and find the bytes there.
        if (++failures < (stopping ? 3 : 60)) {
          await clock.sleep(Math.min(250 * failures, 1000))
          continue
        }
      }
      await health
        .write(db, clock.now())
        .catch((error) => log.warn({ err: error }, 'states of storages cannot be written yet'))
      waiting = waiting.slice(batch.length)
      for (const { row, attempt } of batch)
        if (runs.get(row.id)?.claimed.attempt === attempt) runs.delete(row.id)
    }
  }

  /** Gives back at once what a process of this machine held that is gone. */
  async function releaseDead(now: Date): Promise<void> {
    const gone = (await store.owners(db)).filter((other) => {
      const [host, pid] = other.split(':')
      return host === hostname() && pid !== undefined && !alive(Number(pid))
    })
    if (gone.length > 0) await store.releaseOwners(db, now, gone)
  }

  /** Renews leases and writes progress in one statement; gives up what was lost or stands still. */
  async function keep(now: Date, all = false): Promise<TickResult> {
    const at = now.getTime()
    for (const run of runs.values()) {
      const reason = run.phase === 'moving' ? stalled(run.progress, now) : undefined
      if (reason) run.abort.abort(reason)
    }
    const flush = at - flushedAt >= FLUSH_MS
    if (flush) flushedAt = at
    const due = [...runs.values()].filter(
      (run) =>
        all ||
        at - run.renewedAt >= RENEW_MS ||
        // Who ended is about to be committed: two statements would wait for each other's rows.
        (flush && run.phase === 'moving' && run.progress.bytes !== run.writtenBytes),
    )
    if (due.length > 0) {
      const running = due.map(({ claimed, progress }) => ({
        id: claimed.row.id,
        attempt: claimed.attempt,
        bytesDone: progress.bytes,
        verifying: progress.verifying,
      }))
      const leaseUntil = new Date(at + LEASE_MS)
      const held = await store.renewLeases(db, { owner, leaseUntil, running })
      for (const [i, run] of due.entries()) {
        run.renewedAt = at
        run.writtenBytes = running[i]!.bytesDone
        // A row that was ended by our own commit meanwhile is no longer in `runs`.
        if (!held.has(run.claimed.row.id) && run.phase !== 'ended') run.abort.abort(LOST)
      }
    }
    return { changed: 0, nextWake: runs.size > 0 ? new Date(at + 1000) : null }
  }

  const entering = (signal: AbortSignal): void => {
    if (watched.has(signal)) return
    watched.add(signal)
    stopWith(signal)
  }
  const workers: Worker[] = [
    {
      name: 'transfer',
      wakeOn: [TRANSFER_WISHES],
      async tick(now, signal) {
        entering(signal)
        if (sweptAt === -Infinity) {
          links.remember(await readLinks(db))
          await releaseDead(now)
        }
        if (now.getTime() - sweptAt >= SWEEP_MS) {
          sweptAt = now.getTime()
          await store.releaseExpired(db, now)
        }
        await fill()
        const { blocked, next: opened } = await health.read(db, now)
        giveBack(blocked)
        const due = await store.nextDue(db, now)
        return { changed: 0, nextWake: due && opened ? (due < opened ? due : opened) : (due ?? opened) }
      },
    },
    {
      name: 'transfer.keep',
      wakeOn: [STARTED],
      tick(now, signal) {
        entering(signal)
        return keep(now)
      },
    },
    {
      name: 'transfer.canceled',
      wakeOn: [TRANSFERS_CANCELED],
      async tick(now) {
        await keep(now, true)
        return { changed: 0, nextWake: null }
      },
    },
    {
      name: 'transfer.links',
      wakeOn: [STARTED],
      async tick(now) {
        await putLinks(db, now, links.step(now))
        return { changed: 0, nextWake: runs.size > 0 ? new Date(now.getTime() + 1000) : null }
      },
    },
  ]
  return Object.assign(workers, {
    async drain() {
      stop()
      await claiming?.catch(() => undefined)
      stop()
      await Promise.all(moves)
      while (committing) await committing.catch(() => undefined)
    },
  })
}

const sidesOf = ({ source, destination }: NonNullable<Claimed['move']>): Side[] => [
  { rseId: source.rse.id, side: 'source' },
  { rseId: destination.rse.id, side: 'destination' },
]

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

import { lockFiles, markVerified } from '../catalog/index.ts'
import { publish, transaction } from '../kernel/index.ts'
import { completeCountedRuns, followCopies } from './copies.ts'
import type { RawDeps } from './deps.ts'
import { runMissing } from './errors.ts'
import * as store from './file.store.ts'
import { type RunKey, runOf } from './run.store.ts'
import type { RawFile, RawState } from './types.ts'

export interface Released {
  /** May be deleted from the detector's disk, also those that were released before. */
  readonly released: readonly string[]
  /** Must stay there. */
  readonly kept: readonly { readonly name: string; readonly state: RawState; readonly why: string }[]
}

const PAGE = 1000

/**
 * Says of which files of a run the first copy may be deleted. Copies that nobody verified lately are read again first,
 * in no transaction because that may take long; then one transaction holds the locks of the files in the catalogue, under
 * which every change of a copy happens, and releases those that have their two verified copies at that moment. Throws
 * raw_run_not_found.
 */
export async function releaseRun(
  deps: RawDeps,
  input: RunKey & { now: Date; names: readonly string[] | null; by: string },
): Promise<Released> {
  const { db } = deps
  const { vo, experiment, run: number, now, names, by } = input
  const found = await runOf(db, input)
  if (!found) throw runMissing(`There is no experiment ${experiment}, run ${number} among the raw data.`)
  await completeCountedRuns(db, now)
  await followCopies(db, now, found.id)
  const run = (await runOf(db, input))!
  const since = new Date(now.getTime() - deps.verifiedWithinSeconds * 1000)
  const [released, kept]: [string[], Released['kept'][number][]] = [[], []]
  for (let after = ''; ; ) {
    const page = await store.filesOfRun(db, { runId: run.id, names, state: null, after, limit: PAGE })
    const ready = page.filter(({ state }) => state === 'releasable')
    await lookAnew(deps, vo, now, since, ready)
    const fresh = new Set(await releasePage(deps, { vo, now, since, by, run, ready }))
    for (const { name, state } of page) {
      if (state === 'released' || fresh.has(name)) released.push(name)
      else
        kept.push({ name, state, why: whyKept(state, run.filesExpected === null, run.completedAt === null) })
    }
    if (page.length < PAGE) return { released, kept }
    after = page.at(-1)!.name
  }
}

async function releasePage(
  { db }: RawDeps,
  input: {
    vo: string
    now: Date
    since: Date
    by: string
    run: RunKey & { id: bigint }
    ready: readonly RawFile[]
  },
): Promise<string[]> {
  const { vo, now, run, ready } = input
  if (ready.length === 0) return []
  return transaction(db, async (tx) => {
    await lockFiles(
      tx,
      ready.map(({ fileId }) => fileId!),
    )
    const ids = ready.map(({ id }) => id)
    const done = await store.releaseFiles(tx, { ...input, runId: run.id, ids })
    if (done.length > 0) {
      const payload = { files: done.length, by: input.by }
      const subject = `${run.experiment}/${run.run}`
      await publish(tx, now, [{ vo, kind: 'raw.released', subject, payload }])
    }
    return done.map(({ name }) => name)
  })
}

/** A storage that does not answer leaves its copies as they are: not verified lately, so they do not count. */
async function lookAnew(
  { db, rses, copies, log }: RawDeps,
  vo: string,
  now: Date,
  since: Date,
  files: readonly RawFile[],
): Promise<void> {
  const stale = await store.staleCopies(
    db,
    files.map(({ fileId }) => fileId!),
    since,
  )
  for (const copy of stale) {
    const rse = await rses.byId(vo, copy.rseId)
    const good =
      rse &&
      (await copies.verify(rse, copy, 'anew').catch((error) => {
        log.warn({ err: error, rse: rse.name }, 'a copy of raw data cannot be looked at')
        return false
      }))
    if (good) await markVerified(db, { now, replicas: [copy] })
  }
}

function whyKept(state: RawState, uncounted: boolean, incomplete: boolean): string {
  if (state === 'recorded' || state === 'landed') return 'it has not landed as it was recorded'
  if (state === 'registered' || state === 'verified') return 'it has no verified copy on tape'
  if (state === 'archived') return 'it has no verified copy at a second site'
  if (uncounted) return 'the data acquisition has not said how many files the run has'
  if (incomplete) return 'the run is not complete'
  return 'a copy was lost or could not be verified just now'
}

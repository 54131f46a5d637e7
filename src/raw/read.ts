import type { Db } from '../kernel/index.ts'
import { runMissing } from './errors.ts'
import { type CopyOfRaw, copiesOfRaw, filesOfRun } from './file.store.ts'
import * as store from './run.store.ts'
import { type Flow, RAW_STATES, type RawFile, type RawState, type Run } from './types.ts'

export type RunState = 'open' | 'closed' | 'complete' | 'released'

export interface RunView extends Run {
  readonly flow: string
  readonly state: RunState
  readonly files: number
  readonly bytes: bigint
  readonly events: bigint
  readonly states: Readonly<Record<RawState, number>>
  /** Files that do not go on by themselves. */
  readonly problems: number
  /** When the oldest file was recorded that has no verified second copy yet; null: all have one. */
  readonly unsafeSince: Date | null
  readonly releasedAt: Date | null
}

const UNSAFE: readonly RawState[] = ['recorded', 'landed', 'verified', 'registered', 'archived']

async function viewsOf(db: Db, vo: string, runs: readonly Run[]): Promise<RunView[]> {
  const totals = await store.totalsOf(
    db,
    runs.map(({ id }) => id),
  )
  const flows = new Map((await store.flowsOf(db, vo)).map((flow) => [flow.id, flow.name]))
  return runs.map((run) => {
    const own = totals.filter(({ runId }) => runId === run.id)
    const states = Object.fromEntries(
      RAW_STATES.map((state) => [state, own.find((total) => total.state === state)?.files ?? 0]),
    ) as Record<RawState, number>
    const files = own.reduce((sum, total) => sum + total.files, 0)
    const all = run.completedAt !== null && states.released === files
    const unsafe = own.filter(({ state }) => UNSAFE.includes(state)).map(({ oldest }) => oldest.getTime())
    return {
      ...run,
      flow: flows.get(run.flowId) ?? '',
      state: all ? 'released' : run.completedAt ? 'complete' : run.filesExpected !== null ? 'closed' : 'open',
      ...{ files, states },
      bytes: own.reduce((sum, total) => sum + total.bytes, 0n),
      events: own.reduce((sum, total) => sum + total.events, 0n),
      problems: own.reduce((sum, total) => sum + total.problems, 0),
      unsafeSince: unsafe.length > 0 ? new Date(Math.min(...unsafe)) : null,
      releasedAt: all ? (own.find(({ state }) => state === 'released')?.newestRelease ?? null) : null,
    }
  })
}

/** Runs, newest first; `next` names the run before which to go on. Throws raw_flow_not_found. */
export async function listRuns(
  db: Db,
  input: { vo: string; flow: string | null; before: bigint | null; limit: number },
): Promise<{ runs: RunView[]; next: bigint | null }> {
  const { vo, flow, limit } = input
  const flowId = flow === null ? null : ((await store.flowsOf(db, vo)).find((f) => f.name === flow)?.id ?? 0)
  const found = await store.listedRuns(db, { ...input, flowId })
  return { runs: await viewsOf(db, vo, found), next: found.length < limit ? null : found.at(-1)!.id }
}

/** Throws raw_run_not_found. */
export async function showRun(db: Db, key: store.RunKey): Promise<RunView> {
  const run = await store.runOf(db, key)
  if (!run) throw runMissing(`There is no experiment ${key.experiment}, run ${key.run} among the raw data.`)
  return (await viewsOf(db, key.vo, [run]))[0]!
}

export interface RawFileView extends RawFile {
  readonly copies: readonly CopyOfRaw[]
}

/** Files of a run by name, with their copies. Throws raw_run_not_found. */
export async function listRawFiles(
  db: Db,
  key: store.RunKey,
  page: { state: RawState | null; after: string; limit: number },
): Promise<RawFileView[]> {
  const { id: runId } = await showRun(db, key)
  const files = await filesOfRun(db, { runId, names: null, ...page })
  const copies = await copiesOfRaw(
    db,
    files.flatMap(({ fileId }) => (fileId === null ? [] : [fileId])),
  )
  return files.map((file) => ({ ...file, copies: copies.filter(({ fileId }) => fileId === file.fileId) }))
}

export interface FlowView extends Flow {
  readonly states: Readonly<Record<RawState, { readonly files: number; readonly bytes: bigint }>>
  readonly centreBytes: ReadonlyMap<string, bigint>
  /** From recording on, 95th percentile in seconds, of the files of the last day. */
  readonly latency: Omit<store.Latency, 'flowId'> | null
}

const DAY_MS = 86_400_000

export async function listFlows(db: Db, vo: string, now: Date): Promise<FlowView[]> {
  const flows = await store.flowsOf(db, vo)
  const states = await store.flowStates(db, vo)
  const latencies = await store.latenciesSince(db, vo, new Date(now.getTime() - DAY_MS))
  return Promise.all(
    flows.map(async (flow) => ({
      ...flow,
      states: Object.fromEntries(
        RAW_STATES.map((state) => {
          const { files = 0, bytes = 0n } =
            states.find((each) => each.flowId === flow.id && each.state === state) ?? {}
          return [state, { files, bytes }]
        }),
      ) as FlowView['states'],
      centreBytes: new Map((await store.bytesByCentre(db, flow.id)).map((c) => [c.centre, c.bytes])),
      latency: latencies.find(({ flowId }) => flowId === flow.id) ?? null,
    })),
  )
}

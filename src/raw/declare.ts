import { addCollections } from '../catalog/index.ts'
import { publish, type Tx, transaction, wake } from '../kernel/index.ts'
import type { RuleRequest } from '../placement/index.ts'
import type { RawDeps } from './deps.ts'
import { rawConflict, runClosed } from './errors.ts'
import { countFiles, filesOfRun, insertFiles } from './file.store.ts'
import { flowNamed } from './flow.ts'
import * as store from './run.store.ts'
import { centreOf } from './state.ts'
import type { Flow, RawFile, Recorded, Run } from './types.ts'

export interface Declaration {
  readonly experiment: number
  readonly run: number
  /** null: the only flow there is. */
  readonly flow: string | null
  readonly files: readonly Recorded[]
  /** How many files the run has, as the data acquisition counted them; null: it is still being taken. */
  readonly total: number | null
}

/**
 * Notes files that the detector's computers have written. A run gets its dataset, its centre by share and its rules with
 * its first files. Saying the same again changes nothing. Throws raw_flow_not_found, raw_file_differs, raw_run_closed.
 */
export async function declareFiles(
  deps: Pick<RawDeps, 'db' | 'addRules'>,
  input: { vo: string; now: Date; declaration: Declaration },
): Promise<{ run: Run; landing: string; added: number }> {
  const { vo, now, declaration } = input
  const { experiment, run: number, files, total } = declaration
  const key = { vo, experiment, run: number }
  const known = await store.runOf(deps.db, key)
  const name = known
    ? (await store.flowById(deps.db, known.flowId))!.name
    : (await flowNamed(deps.db, vo, declaration.flow)).name
  if (declaration.flow !== null && declaration.flow !== name)
    throw rawConflict(`Experiment ${experiment}, run ${number} belongs to the flow ${name}.`)
  return transaction(deps.db, async (tx) => {
    const flow = (await store.lockFlow(tx, vo, name))!
    const run = (await store.lockRun(tx, key)) ?? (await newRun(tx, deps, { now, flow, ...key }))
    await requireSame(tx, run, files)
    const added = await insertFiles(tx, now, run.id, files)
    await count(tx, now, run, total, await countFiles(tx, run.id))
    if (added > 0) {
      const payload = { files: added, total }
      await publish(tx, now, [{ vo, kind: 'raw.recorded', subject: `${experiment}/${number}`, payload }])
      await wake(tx, 'raw')
    }
    return { run: (await store.runOf(tx, key))!, landing: flow.landing, added }
  })
}

async function newRun(
  tx: Tx,
  { addRules }: Pick<RawDeps, 'addRules'>,
  { now, flow, vo, experiment, run }: store.RunKey & { now: Date; flow: Flow },
): Promise<Run> {
  const bytesAt = new Map((await store.bytesByCentre(tx, flow.id)).map((c) => [c.centre, c.bytes]))
  const centre = centreOf(flow.centres, bytesAt)
  const { scope, accountId } = flow
  const dataset = datasetName(experiment, run)
  const meta = { level: 'raw', dataType: 'Data', experiment, run, run_number: run }
  const collections = [{ scope, name: dataset, kind: 'DATASET' as const, meta }]
  await addCollections(tx, { vo, now, accountId, collections })
  // Locked: no slip of a hand takes the archive away.
  const rules = [flow.landing, flow.archive, centre.storages].map(
    (rseExpression): RuleRequest => ({
      ...{ target: { scope, name: dataset }, accountId, copies: 1, rseExpression, grouping: 'DATASET' },
      ...{ weight: null, expiresAt: null, locked: true, sourceRseExpression: null, activity: 'Raw Data' },
      ...{ notification: null, purgeReplicas: false, ignoreAvailability: false, priority: 5, meta: null },
      comments: `raw data of experiment ${experiment}, run ${run}`,
    }),
  )
  await addRules(tx, { vo, now, rules })
  return (await store.insertRun(tx, now, { vo, experiment, run, flow, dataset, centre }))!
}

/** `raw.e0026.r000101` */
export const datasetName = (experiment: number, run: number): string =>
  `raw.e${String(experiment).padStart(4, '0')}.r${String(run).padStart(6, '0')}`

const FACTS = ['stream', 'bytes', 'adler32', 'md5', 'events'] as const

async function requireSame(tx: Tx, run: Run, files: readonly Recorded[]): Promise<void> {
  const names = files.map(({ name }) => name)
  const known = new Map<string, RawFile>()
  const asked = { runId: run.id, names, state: null, after: '', limit: names.length }
  for (const file of await filesOfRun(tx, asked)) known.set(file.name, file)
  const given = new Map<string, Recorded>()
  for (const file of files) {
    const before = known.get(file.name) ?? given.get(file.name)
    given.set(file.name, file)
    const fact = before && FACTS.find((each) => before[each] !== file[each])
    if (fact)
      throw rawConflict(
        `${file.name} was declared before with ${fact} ${before[fact]}, not ${file[fact]}; nothing was changed.`,
        { file: file.name, fact },
      )
  }
}

async function count(tx: Tx, now: Date, run: Run, total: number | null, files: number): Promise<void> {
  const expected = run.filesExpected ?? total
  if (expected !== null && files > expected)
    throw runClosed(
      `Experiment ${run.experiment}, run ${run.run} has ${expected} files by the count of the data acquisition; these would make ${files}.`,
    )
  if (total === null || total === run.filesExpected) return
  if (run.filesExpected !== null)
    throw runClosed(
      `Experiment ${run.experiment}, run ${run.run} was counted to have ${run.filesExpected} files, not ${total}.`,
    )
  await store.closeRun(tx, now, run.id, total)
  await wake(tx, 'raw')
}

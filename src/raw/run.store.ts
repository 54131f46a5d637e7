import { affected, type Db, row, rows, sql, type Tx } from '../kernel/index.ts'
import type { Centre, Flow, NewFlow, RawState, Run } from './types.ts'

const FLOW = sql`f.id, f.vo, f.name, f.account_id as "accountId", f.account, f.scope, f.landing, f.archive, f.centres`
const RUN = sql`r.id, r.vo, r.flow_id as "flowId", r.experiment, r.run, r.scope, r.dataset, r.centre,
  r.files_expected as "filesExpected", r.opened_at as "openedAt", r.closed_at as "closedAt", r.completed_at as "completedAt"`

export async function putFlow(
  tx: Tx,
  now: Date,
  { vo, accountId, account, flow }: { vo: string; accountId: number; account: string; flow: NewFlow },
): Promise<void> {
  await sql`insert into raw_flow (vo, name, account_id, account, scope, landing, archive, centres, changed_at)
    values (${vo}, ${flow.name}, ${accountId}, ${account}, ${flow.scope}, ${flow.landing}, ${flow.archive},
      ${JSON.stringify(flow.centres)}::jsonb, ${now})
    on conflict (vo, name) do update set account_id = excluded.account_id, account = excluded.account,
      scope = excluded.scope, landing = excluded.landing, archive = excluded.archive, centres = excluded.centres,
      changed_at = excluded.changed_at`.execute(tx)
}

export const flowsOf = (db: Db, vo: string): Promise<Flow[]> =>
  rows(db, sql<Flow>`select ${FLOW} from raw_flow f where f.vo = ${vo} order by f.name`)

/** The flow of a name, locked: runs take their centres one after the other. */
export const lockFlow = (tx: Tx, vo: string, name: string): Promise<Flow | undefined> =>
  row(tx, sql<Flow>`select ${FLOW} from raw_flow f where f.vo = ${vo} and f.name = ${name} for update`)

export const flowById = (db: Db, id: number): Promise<Flow | undefined> =>
  row(db, sql<Flow>`select ${FLOW} from raw_flow f where f.id = ${id}`)

/** Bytes of runs so far by their centres. */
export const bytesByCentre = (db: Db, flowId: number): Promise<{ centre: string; bytes: bigint }[]> =>
  rows(
    db,
    sql<{ centre: string; bytes: bigint }>`select centre, coalesce(sum(bytes), 0)::bigint as bytes
      from (
        select centre, settled_bytes as bytes from raw_run where flow_id = ${flowId} and settled_files is not null
        union all
        select r.centre, f.bytes from raw_run r left join raw_file f on f.run_id = r.id
        where r.flow_id = ${flowId} and r.settled_files is null) f group by 1`,
  )

export interface RunKey {
  readonly vo: string
  readonly experiment: number
  readonly run: number
}

export const runOf = (db: Db, { vo, experiment, run }: RunKey): Promise<Run | undefined> =>
  row(
    db,
    sql<Run>`select ${RUN} from raw_run r where r.vo = ${vo} and r.experiment = ${experiment} and r.run = ${run}`,
  )

export const lockRun = (tx: Tx, { vo, experiment, run }: RunKey): Promise<Run | undefined> =>
  row(
    tx,
    sql<Run>`select ${RUN} from raw_run r where r.vo = ${vo} and r.experiment = ${experiment} and r.run = ${run}
      for update`,
  )

/** Undefined when somebody else has just made it. */
export const insertRun = (
  tx: Tx,
  now: Date,
  run: RunKey & { flow: Flow; dataset: string; centre: Centre },
): Promise<Run | undefined> =>
  row(
    tx,
    sql<Run>`insert into raw_run as r (vo, flow_id, experiment, run, scope, dataset, centre, opened_at)
      values (${run.vo}, ${run.flow.id}, ${run.experiment}, ${run.run}, ${run.flow.scope}, ${run.dataset},
        ${run.centre.storages}, ${now})
      on conflict (vo, experiment, run) do nothing returning ${RUN}`,
  )

export const closeRun = (tx: Tx, now: Date, runId: bigint, files: number) =>
  sql`update raw_run set files_expected = ${files}, closed_at = ${now} where id = ${runId}`.execute(tx)

/** Notes which runs have every file that they were counted to have. Returns those that were not complete before. */
export const completeRuns = (tx: Tx, now: Date): Promise<(RunKey & { id: bigint; files: number })[]> =>
  rows(
    tx,
    sql<RunKey & { id: bigint; files: number }>`
      with whole as (
        select r.id from raw_run r where r.completed_at is null and r.files_expected is not null
          and r.files_expected = (select count(*) from raw_file f where f.run_id = r.id and f.registered_at is not null)
        order by r.id for update skip locked)
      update raw_run r set completed_at = ${now} from whole w where r.id = w.id
      returning r.id, r.vo, r.experiment, r.run, r.files_expected as files`,
  )

/** Adds up runs all of whose files are released; nothing of them changes any more. Returns how many. */
export const settleRuns = (db: Db): Promise<number> =>
  affected(
    db,
    sql`with whole as materialized (
        select r.id from raw_run r where r.settled_files is null and r.completed_at is not null
          and not exists (select from raw_file f where f.run_id = r.id and f.state <> 'released')
        order by r.id for update skip locked)
      update raw_run r set settled_files = f.files, settled_bytes = f.bytes
      from whole w cross join lateral (select count(*)::int as files, coalesce(sum(bytes), 0)::bigint as bytes
        from raw_file where run_id = w.id) f
      where r.id = w.id`,
  )

export interface RunTotals {
  readonly runId: bigint
  readonly state: RawState
  readonly files: number
  readonly bytes: bigint
  readonly events: bigint
  readonly problems: number
  /** When the oldest of them was recorded. */
  readonly oldest: Date
  readonly newestRelease: Date | null
}

export const totalsOf = (db: Db, runIds: readonly bigint[]): Promise<RunTotals[]> =>
  rows(
    db,
    sql<RunTotals>`select run_id as "runId", state, count(*)::int as files, sum(bytes)::bigint as bytes,
        sum(events)::bigint as events, count(*) filter (where problem <> '')::int as problems, min(recorded_at) as oldest,
        max(released_at) as "newestRelease"
      from raw_file where run_id = any(${runIds}::bigint[]) group by 1, 2`,
  )

/** Newest first, those before a given one. */
export const listedRuns = (
  db: Db,
  input: { vo: string; flowId: number | null; before: bigint | null; limit: number },
): Promise<Run[]> =>
  rows(
    db,
    sql<Run>`select ${RUN} from raw_run r where r.vo = ${input.vo}
      and (${input.flowId}::int is null or r.flow_id = ${input.flowId})
      and (${input.before}::bigint is null or r.id < ${input.before}) order by r.id desc limit ${input.limit}`,
  )

export interface FlowState {
  readonly flowId: number
  readonly state: RawState
  readonly files: number
  readonly bytes: bigint
}

export const flowStates = (db: Db, vo: string): Promise<FlowState[]> =>
  rows(
    db,
    sql<FlowState>`select flow_id as "flowId", state, sum(files)::int as files, sum(bytes)::bigint as bytes
      from (
        select flow_id, 'released' as state, settled_files as files, settled_bytes as bytes from raw_run
        where vo = ${vo} and settled_files is not null
        union all
        select r.flow_id, f.state, 1, f.bytes from raw_run r join raw_file f on f.run_id = r.id
        where r.vo = ${vo} and r.settled_files is null) f
      where files > 0 group by 1, 2`,
  )

export interface Latency {
  readonly flowId: number
  readonly files: number
  /** Seconds, 95th percentile; null where no file came so far. */
  readonly verified: number | null
  readonly registered: number | null
  readonly archived: number | null
  readonly secondCopy: number | null
  readonly releasable: number | null
}

/** From recording to each state, of files recorded since a time. */
export const latenciesSince = (db: Db, vo: string, since: Date): Promise<Latency[]> => {
  const until = (column: string) =>
    sql`percentile_cont(0.95) within group (order by extract(epoch from f.${sql.ref(column)} - f.recorded_at))`
  return rows(
    db,
    sql<Latency>`select r.flow_id as "flowId", count(*)::int as files, ${until('verified_at')} as verified,
        ${until('registered_at')} as registered, ${until('archived_at')} as archived,
        ${until('second_copy_at')} as "secondCopy", ${until('releasable_at')} as releasable
      from raw_file f join raw_run r on r.id = f.run_id where r.vo = ${vo} and f.recorded_at >= ${since} group by 1`,
  )
}

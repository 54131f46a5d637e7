import { type Db, row, rows, sql, type Tx } from '../kernel/index.ts'

export interface NewInput {
  readonly fileId: bigint
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly experiment: number | null
  readonly run: number | null
  readonly eventType: string | null
  readonly events: number | null
}

/** Adds files that a step has not seen yet; each comes once, however often it is found. Returns how many were new. */
export async function addInputs(
  tx: Tx,
  now: Date,
  stepId: number,
  inputs: readonly NewInput[],
): Promise<number> {
  if (inputs.length === 0) return 0
  const list = JSON.stringify(
    inputs.map((input) => ({ ...input, fileId: String(input.fileId), bytes: String(input.bytes) })),
  )
  const added = await row(
    tx,
    sql<{ n: number }>`with added as (
        insert into production_input (step_id, file_id, scope, name, bytes, experiment, run, event_type, events, added_at)
        select ${stepId}::int, w."fileId", w.scope, w.name, w.bytes, w.experiment, w.run, w."eventType", w.events, ${now}::timestamptz
        from jsonb_to_recordset(${list}::jsonb) as w("fileId" bigint, scope text, name text, bytes bigint, experiment int,
          run int, "eventType" text, events bigint)
        order by w."fileId" on conflict (step_id, file_id) do nothing returning 1)
      select count(*)::int as n from added`,
  )
  return added?.n ?? 0
}

export interface FreeInput {
  readonly fileId: bigint
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly experiment: number | null
  readonly run: number | null
  readonly eventType: string | null
  readonly addedAt: Date
}

/** Inputs of a step that no task has, those of a run together. */
export const freeInputs = (db: Db, stepId: number, limit: number): Promise<FreeInput[]> =>
  rows(
    db,
    sql<FreeInput>`select file_id as "fileId", scope, name, bytes, experiment, run, event_type as "eventType", added_at as "addedAt"
      from production_input where step_id = ${stepId} and task_id is null and not taken
      order by run, file_id limit ${limit}`,
  )

/** Which of these files a step has not seen. */
export const unseen = (db: Db, stepId: number, fileIds: readonly bigint[]): Promise<{ id: bigint }[]> =>
  rows(
    db,
    sql<{ id: bigint }>`select w.id from unnest(${fileIds}::bigint[]) as w(id)
      where not exists (select from production_input i where i.step_id = ${stepId} and i.file_id = w.id)`,
  )

/** Takes free inputs that no task shall have; returns those that were free. */
export const takeInputs = (
  tx: Tx,
  stepId: number,
  fileIds: readonly bigint[],
): Promise<{ fileId: bigint }[]> =>
  rows(
    tx,
    sql<{ fileId: bigint }>`update production_input set taken = true
      where step_id = ${stepId} and file_id = any(${fileIds}::bigint[]) and task_id is null and not taken
      returning file_id as "fileId"`,
  )

/** The file that a step once read under a name, also when the catalogue does not know the name any more. */
export const fileOnceRead = (
  db: Db,
  vo: string,
  { scope, name }: { readonly scope: string; readonly name: string },
): Promise<{ id: bigint } | undefined> =>
  row(
    db,
    sql<{
      id: bigint
    }>`select i.file_id as id from production_input i join production_step s on s.id = i.step_id
      join production p on p.id = s.production_id
      where i.name = ${name} and i.scope = ${scope} and p.vo = ${vo} limit 1`,
  )

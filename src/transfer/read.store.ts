import { type Db, rows, sql } from '../kernel/index.ts'
import type { LastError } from './transfer.store.ts'

export interface TransferState {
  readonly id: string
  readonly vo: string
  readonly fileId: bigint
  readonly srcRseId: number | null
  readonly dstRseId: number
  readonly bytes: bigint
  readonly bytesDone: bigint
  readonly activity: string
  readonly priority: number
  readonly state: 'queued' | 'active' | 'verifying'
  readonly attempt: number
  readonly failures: number
  readonly waits: number
  readonly notBefore: Date
  readonly deadline: Date
  readonly error: LastError | null
  readonly sourceExpression: string | null
  readonly createdAt: Date
  readonly startedAt: Date | null
}

export async function selectTransfers(
  db: Db,
  input: { vo: string; afterId?: string; limit: number; fileIds?: readonly bigint[]; dstRseId?: number },
): Promise<TransferState[]> {
  const { vo, afterId, limit, fileIds, dstRseId } = input
  return rows(
    db,
    sql<TransferState>`
      select id, vo, file_id as "fileId", src_rse_id as "srcRseId", dst_rse_id as "dstRseId", bytes,
        bytes_done as "bytesDone", activity, priority::int as priority, state, attempt, failures, waits,
        not_before as "notBefore", deadline, last_error as error, source_expression as "sourceExpression",
        created_at as "createdAt", started_at as "startedAt"
      from ${fileIds ? sql`(select * from transfer where file_id = any(${fileIds}::bigint[]) offset 0) t` : sql`transfer`}
      where vo = ${vo}
        ${dstRseId === undefined ? sql`` : sql`and dst_rse_id = ${dstRseId}`}
        ${afterId === undefined ? sql`` : sql`and id > ${afterId}::uuid`}
      order by id limit ${limit}`,
  )
}

export interface LinkState {
  readonly srcRseId: number
  readonly dstRseId: number
  readonly active: number
  readonly done: number
  readonly failed: number
  readonly bytes: bigint
  readonly maxActive: number | null
  readonly rate: number | null
  readonly rationale: string | null
}

export async function selectMatrix(db: Db, vo: string, since: Date): Promise<LinkState[]> {
  return rows(
    db,
    sql<LinkState>`
      with live as (select src_rse_id, dst_rse_id, count(*)::int as active from transfer
          where vo = ${vo} and src_rse_id is not null and state <> 'queued' group by 1, 2),
        past as (select src_rse_id, dst_rse_id,
            (count(*) filter (where outcome in ('done', 'adopted')))::int as done,
            (count(*) filter (where outcome = 'failed'))::int as failed,
            coalesce(sum(bytes) filter (where outcome = 'done'), 0)::bigint as bytes
          from transfer_log where vo = ${vo} and src_rse_id is not null and finished_at > ${since} group by 1, 2)
      select src_rse_id as "srcRseId", dst_rse_id as "dstRseId", coalesce(active, 0) as active,
        coalesce(done, 0) as done, coalesce(failed, 0) as failed, coalesce(bytes, 0)::bigint as bytes,
        link.max_active as "maxActive", link.rate_bytes_per_s as rate, link.rationale
      from live full join past using (src_rse_id, dst_rse_id) left join link using (src_rse_id, dst_rse_id)
      order by 1, 2`,
  )
}

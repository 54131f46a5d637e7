import { type Db, rows, sql } from '../kernel/index.ts'

export interface LinkRow {
  readonly srcRseId: number
  readonly dstRseId: number
  readonly maxActive: number
  readonly rate: number | null
  readonly rationale: string
  readonly busy: number | null
  /** When it was full last. */
  readonly busyAt: Date | null
}

export async function readLinks(db: Db): Promise<LinkRow[]> {
  return rows(
    db,
    sql<LinkRow>`select src_rse_id as "srcRseId", dst_rse_id as "dstRseId", max_active as "maxActive",
      rate_bytes_per_s as rate, rationale, busy_bytes_per_s as busy, busy_at as "busyAt" from link`,
  )
}

export async function putLinks(db: Db, now: Date, links: readonly LinkRow[]): Promise<void> {
  if (links.length === 0) return
  await sql`
    insert into link (src_rse_id, dst_rse_id, max_active, rate_bytes_per_s, rationale, busy_bytes_per_s, busy_at, updated_at)
    select n."srcRseId", n."dstRseId", n."maxActive", n.rate, n.rationale, n.busy, n."busyAt", ${now}
    from jsonb_to_recordset(${JSON.stringify(links)}::jsonb)
      as n("srcRseId" int, "dstRseId" int, "maxActive" int, rate double precision, rationale text,
        busy double precision, "busyAt" timestamptz)
    on conflict (src_rse_id, dst_rse_id) do update set max_active = excluded.max_active,
      rate_bytes_per_s = excluded.rate_bytes_per_s, rationale = excluded.rationale,
      busy_bytes_per_s = excluded.busy_bytes_per_s, busy_at = excluded.busy_at, updated_at = excluded.updated_at`.execute(
    db,
  )
}

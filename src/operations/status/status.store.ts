import { type Db, rows, sql, type Tx } from '../../kernel/database.ts'

export type ServiceState = 'ok' | 'degraded' | 'down' | 'maintenance' | 'unknown'

/** Counts one minute for each service; a second server in the same minute counts nothing. */
export async function countMinute(
  tx: Tx,
  minute: Date,
  vo: string,
  services: readonly { service: string; state: ServiceState }[],
): Promise<void> {
  await sql`insert into status_day as d (vo, service, day, ok, degraded, down, maintenance, unknown, last_at)
    select ${vo}, s.service, (${minute}::timestamptz at time zone 'UTC')::date, (s.state = 'ok')::int,
      (s.state = 'degraded')::int, (s.state = 'down')::int, (s.state = 'maintenance')::int, (s.state = 'unknown')::int, ${minute}
    from jsonb_to_recordset(${JSON.stringify(services)}::jsonb) as s(service text, state text)
    order by 2
    on conflict (vo, service, day) do update set ok = d.ok + excluded.ok, degraded = d.degraded + excluded.degraded,
      down = d.down + excluded.down, maintenance = d.maintenance + excluded.maintenance,
      unknown = d.unknown + excluded.unknown, last_at = excluded.last_at
    where d.last_at < excluded.last_at`.execute(tx)
}

export interface DayRow {
  readonly service: string
  /** `2026-11-21`, UTC. */
  readonly day: string
  readonly ok: number
  readonly degraded: number
  readonly down: number
  readonly maintenance: number
}

export const daysSince = (db: Db, vo: string, from: Date): Promise<DayRow[]> =>
  rows(
    db,
    sql<DayRow>`select service, to_char(day, 'YYYY-MM-DD') as day, ok, degraded, down, maintenance from status_day
      where vo = ${vo} and day >= (${from}::timestamptz at time zone 'UTC')::date order by service, day`,
  )

export const forgetDays = (tx: Tx, before: Date) =>
  sql`delete from status_day where day < (${before}::timestamptz at time zone 'UTC')::date`.execute(tx)

import { type Db, rows, sql } from '../kernel/index.ts'

/** A storage as one side of transfers: it may be unable to take files and yet give them. */
export interface Side {
  readonly rseId: number
  readonly side: 'source' | 'destination'
}

export interface FaultRow extends Side {
  readonly since: Date
  readonly blockedUntil: Date
  readonly reason: string
}

export const readFaults = (db: Db): Promise<FaultRow[]> =>
  rows(
    db,
    sql<FaultRow>`select rse_id as "rseId", side, since, blocked_until as "blockedUntil", reason from storage_fault`,
  )

export interface FaultChange extends Side {
  /** `due`: the attempt said nothing of the storage, another one may find out. */
  readonly to: 'blocked' | 'still blocked' | 'open' | 'due'
  readonly reason: string
}

const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 600_000
/** An attempt takes no longer; when its process dies another one is made then. */
const PROBE_MS = 150_000

export async function writeFaults(db: Db, now: Date, changes: readonly FaultChange[]): Promise<void> {
  const table = (...to: FaultChange['to'][]) => {
    const list = changes.filter((change) => to.includes(change.to))
    return sql`jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as w("rseId" int, side text, "to" text, reason text)`
  }
  await sql`delete from storage_fault f using ${table('open')} where f.rse_id = w."rseId" and f.side = w.side`.execute(
    db,
  )
  await sql`update storage_fault f set blocked_until = ${now} from ${table('due')}
    where f.rse_id = w."rseId" and f.side = w.side`.execute(db)
  // Only a failed attempt makes the pause longer: what was started before the block and fails late says nothing new.
  await sql`insert into storage_fault as f (rse_id, side, since, blocked_until, pause_ms, reason)
    select w."rseId", w.side, ${now}, ${new Date(now.getTime() + FIRST_PAUSE_MS)}, ${FIRST_PAUSE_MS}, w.reason
    from ${table('blocked', 'still blocked')} order by 1, 2
    on conflict (rse_id, side) do update set reason = excluded.reason,
      pause_ms = least(f.pause_ms * 2, ${LONGEST_PAUSE_MS}),
      blocked_until = ${now}::timestamptz + least(f.pause_ms * 2, ${LONGEST_PAUSE_MS}) * interval '1 millisecond'
    where (f.rse_id, f.side) in (select w."rseId", w.side from ${table('still blocked')})`.execute(db)
}

/** Takes the attempts that are due; two claimers never take the same one. */
export const takeProbes = (tx: Db, now: Date): Promise<Side[]> =>
  rows(
    tx,
    sql<Side>`update storage_fault set blocked_until = ${new Date(now.getTime() + PROBE_MS)}
      where (rse_id, side) in (select rse_id, side from storage_fault where blocked_until <= ${now}
        order by rse_id, side for update skip locked)
      returning rse_id as "rseId", side`,
  )

/** Gives back attempts for which there was no transfer. */
export const returnProbes = (tx: Db, now: Date, unused: readonly Side[]) =>
  sql`update storage_fault f set blocked_until = ${now}
    from unnest(${unused.map((s) => s.rseId)}::int[], ${unused.map((s) => s.side)}::text[]) as w(rse_id, side)
    where f.rse_id = w.rse_id and f.side = w.side`.execute(tx)

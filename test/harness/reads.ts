import { type Db, rows, sql, type Tx, transaction } from '../../src/kernel/index.ts'

/** The tables that grow with the number of files and jobs. */
const LARGE = '^(file|content|replica_[0-9]+|placement_gap|transfer|job)$'

/** What work, done in one transaction, reads of the large tables, as PostgreSQL counts it. */
export function readsOf(
  db: Db,
  work: (tx: Tx) => Promise<unknown>,
): Promise<{
  /** Tables that were read from end to end. */
  whole: string[]
  /** Entries of indexes that were looked at. */
  entries: number
}> {
  return transaction(db, async (tx) => {
    // The counters go on from what the connection did before.
    const before = new Map((await counters(tx)).map((table) => [table.name, table]))
    await work(tx)
    const after = await counters(tx)
    return {
      whole: after.filter(({ name, whole }) => whole > before.get(name)!.whole).map(({ name }) => name),
      entries: after.reduce((sum, { name, entries }) => sum + Number(entries - before.get(name)!.entries), 0),
    }
  })
}

const counters = (tx: Tx) =>
  rows(
    tx,
    sql<{ name: string; whole: bigint; entries: bigint }>`
      select t.relname::text as name, t.seq_tup_read as whole,
        (select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::bigint
          from pg_index i where i.indrelid = t.relid) as entries
      from pg_stat_xact_user_tables t where t.relname ~ ${LARGE}`,
  )

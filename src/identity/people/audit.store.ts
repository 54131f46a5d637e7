import { affected, cursor, type Db, rows, sql } from '../../kernel/database.ts'

/** One thing that somebody did, as it is told to the audit log. */
export interface AuditEntry {
  readonly vo: string
  /** Account or client that did it; `grid` for the grid itself. */
  readonly actor: string
  /** What was done, dotted and in the past tense: `account.suspended`. */
  readonly action: string
  /** To whom or what: an account name, a group path, a client id. */
  readonly target: string
  /** Facts; never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
}

export interface AuditFilter {
  readonly actor?: string | undefined
  readonly target?: string | undefined
  /** A whole name, or its beginning followed by `.*`. */
  readonly action?: string | undefined
  readonly since?: Date | undefined
  readonly until?: Date | undefined
  /** Only entries before this number: the next page of a list that is read backwards. */
  readonly before?: bigint | undefined
  readonly limit?: number | undefined
}

export interface StoredEntry {
  readonly seq: bigint
  readonly at: Date
  readonly vo: string
  readonly actor: string
  readonly action: string
  readonly target: string
  readonly detail: string
  readonly previous: Buffer
  readonly hash: Buffer
}

/** Number and hash are given by the database at commit. */
export const insertEntries = (tx: Db, entries: readonly AuditEntry[], now: Date) =>
  affected(
    tx,
    sql`insert into audit (at, vo, actor, action, target, detail)
    select ${now}, vo, actor, action, target, coalesce(detail, '{}')
    from rows from (jsonb_to_recordset(${JSON.stringify(
      entries.map((entry) => ({ ...entry, detail: JSON.stringify(entry.detail ?? {}) })),
    )}::jsonb) as (vo text, actor text, action text, target text, detail text)) with ordinality
      as e(vo, actor, action, target, detail, n) order by n`,
  )

const ENTRY = sql.raw('seq, at, vo, actor, action, target, detail, previous, hash')

export const selectEntries = (db: Db, vo: string, f: AuditFilter & { limit: number }) =>
  rows(
    db,
    sql<StoredEntry>`select ${ENTRY} from audit where vo = ${vo} and seq is not null
    and (${f.before ?? null}::bigint is null or seq < ${f.before ?? null})
    and (${f.actor ?? null}::text is null or actor = ${f.actor ?? null})
    and (${f.target ?? null}::text is null or target = ${f.target ?? null})
    and (${f.action ?? null}::text is null or action = ${f.action ?? null}
      or (right(${f.action ?? null}, 2) = '.*' and starts_with(action, left(${f.action ?? null}, -1))))
    and (${f.since ?? null}::timestamptz is null or at >= ${f.since ?? null})
    and (${f.until ?? null}::timestamptz is null or at < ${f.until ?? null})
    order by seq desc limit ${f.limit}`,
  )

export const everyEntry = (db: Db) =>
  cursor(db, sql<StoredEntry>`select ${ENTRY} from audit where seq is not null order by seq`, 2000)

import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'

export interface MirrorRow {
  readonly repositoryId: number
  readonly name: string
  /** The preferred first. */
  readonly urls: readonly string[]
  readonly account: string
  readonly revision: bigint
  /** When its manifest was verified last. */
  readonly checkedAt: Date
  readonly failedAt: Date | null
  /** Why it was not since; null when it was. */
  readonly failure: string | null
  /** Whether all of it is to be here. */
  readonly copyWanted: boolean
  readonly copiedRevision: bigint | null
  readonly copiedAt: Date | null
  /** Whether the copy is that of the present manifest. */
  readonly copyComplete: boolean
  /** What the copying under way, or the last one, has brought. */
  readonly copyObjects: bigint
  readonly copyBytes: bigint
  readonly copyFailure: string | null
}

const columns = sql`m.repository_id as "repositoryId", r.name, m.urls, m.account, r.revision, m.checked_at as "checkedAt",
  m.failed_at as "failedAt", m.failure, m.copy_wanted as "copyWanted", m.copied_revision as "copiedRevision",
  m.copied_at as "copiedAt", coalesce(m.copied_manifest = r.manifest, false) as "copyComplete",
  m.copy_objects as "copyObjects", m.copy_bytes as "copyBytes", m.copy_failure as "copyFailure"`
const joined = sql`software_mirror m join software_repository r on r.id = m.repository_id`

export const mirrorsOf = (db: Db, vo: string): Promise<MirrorRow[]> =>
  rows(db, sql<MirrorRow>`select ${columns} from ${joined} where r.vo = ${vo} order by r.name`)

export const mirrorOf = (db: Db, repositoryId: number): Promise<MirrorRow | undefined> =>
  row(db, sql<MirrorRow>`select ${columns} from ${joined} where m.repository_id = ${repositoryId}`)

export const insertMirror = (
  tx: Tx,
  now: Date,
  m: { repositoryId: number; urls: readonly string[]; account: string; nextCheckAt: Date },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_mirror (repository_id, urls, account, checked_at, next_check_at)
    values (${m.repositoryId}, ${m.urls}::text[], ${m.account}, ${now}, ${m.nextCheckAt})`,
  )

/** Mirrors that are to be looked at; they are ours until a date. */
export const claimChecks = (
  db: Db,
  now: Date,
  until: Date,
  limit: number,
): Promise<{ repositoryId: number; name: string }[]> =>
  rows(
    db,
    sql<{ repositoryId: number; name: string }>`with due as (
      select repository_id from software_mirror where next_check_at <= ${now} order by next_check_at limit ${limit}
      for update skip locked)
    update software_mirror m set next_check_at = ${until} from due, software_repository r
    where m.repository_id = due.repository_id and r.id = m.repository_id
    returning m.repository_id as "repositoryId", r.name`,
  )

export const noteChecked = (tx: Tx, now: Date, repositoryId: number, nextCheckAt: Date): Promise<number> =>
  affected(
    tx,
    sql`update software_mirror set checked_at = ${now}, failed_at = null, failure = null, next_check_at = ${nextCheckAt}
    where repository_id = ${repositoryId}`,
  )

export const noteNotChecked = (
  db: Db,
  now: Date,
  repositoryId: number,
  n: { failure: string; nextCheckAt: Date },
): Promise<number> =>
  affected(
    db,
    sql`update software_mirror set failed_at = ${now}, failure = ${n.failure}, next_check_at = ${n.nextCheckAt}
    where repository_id = ${repositoryId}`,
  )

export const firstCheck = async (db: Db): Promise<Date | null> =>
  (await row(db, sql<{ at: Date | null }>`select min(next_check_at) as at from software_mirror`))?.at ?? null

/** All of it is to be here from now on; asked again, a failed copying begins at once. */
export const wantCopy = (tx: Tx, now: Date, repositoryId: number): Promise<number> =>
  affected(
    tx,
    sql`update software_mirror set copy_wanted = true,
      copy_next_at = case when copy_next_at is null or copy_failure is not null then ${now} else copy_next_at end
    where repository_id = ${repositoryId}`,
  )

/** A mirror of which not all is here though it should be; it is ours until a date. */
export const claimCopy = (
  db: Db,
  now: Date,
  until: Date,
): Promise<{ repositoryId: number; name: string } | undefined> =>
  row(
    db,
    sql<{ repositoryId: number; name: string }>`with due as (
      select m.repository_id, r.name from ${joined}
      where m.copy_wanted and m.copy_next_at <= ${now} and m.copied_manifest is distinct from r.manifest
      order by m.copy_next_at limit 1 for update of m skip locked)
    update software_mirror m set copy_next_at = ${until}, copy_objects = 0, copy_bytes = 0 from due
    where m.repository_id = due.repository_id returning m.repository_id as "repositoryId", due.name`,
  )

/** What was brought so far; it is ours for longer. */
export const noteCopying = (
  db: Db,
  repositoryId: number,
  n: { objects: number; bytes: number; until: Date },
): Promise<number> =>
  affected(
    db,
    sql`update software_mirror set copy_objects = copy_objects + ${n.objects}, copy_bytes = copy_bytes + ${n.bytes},
      copy_next_at = ${n.until}, copy_failure = null where repository_id = ${repositoryId}`,
  )

export const noteCopied = (
  tx: Tx,
  now: Date,
  repositoryId: number,
  c: { manifest: Buffer; revision: bigint },
): Promise<number> =>
  affected(
    tx,
    sql`update software_mirror set copied_manifest = ${c.manifest}, copied_revision = ${c.revision}, copied_at = ${now},
      copy_next_at = ${now}, copy_failure = null where repository_id = ${repositoryId}`,
  )

export const noteNotCopied = (
  db: Db,
  repositoryId: number,
  n: { failure: string; again: Date },
): Promise<number> =>
  affected(
    db,
    sql`update software_mirror set copy_failure = ${n.failure}, copy_next_at = ${n.again}
    where repository_id = ${repositoryId}`,
  )

/** A mirror with all that is known of it; gives the packs whose files may then be removed. */
export async function deleteMirror(tx: Tx, repositoryId: number): Promise<string[]> {
  await sql`delete from software_object where repository_id = ${repositoryId}`.execute(tx)
  const packs = await rows(
    tx,
    sql<{ id: string }>`delete from software_pack where repository_id = ${repositoryId} returning id`,
  )
  await sql`delete from software_revision where repository_id = ${repositoryId}`.execute(tx)
  await sql`delete from software_mirror where repository_id = ${repositoryId}`.execute(tx)
  await sql`delete from software_repository where id = ${repositoryId}`.execute(tx)
  return packs.map(({ id }) => id)
}

import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export interface IssuedCertificate {
  /** Hexadecimal. */
  readonly serial: string
  readonly vo: string
  readonly accountId: number
  readonly subject: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly issuedAt: Date
  readonly issuedBy: string
  readonly revokedAt: Date | null
  readonly reason: string
}

const ISSUED =
  sql.raw(`serial, vo, account_id as "accountId", subject, not_before as "notBefore", not_after as "notAfter",
  issued_at as "issuedAt", issued_by as "issuedBy", revoked_at as "revokedAt", reason`)

/** One issue at a time for an account and for a key, until the transaction ends. */
export const lockIssue = (tx: Db, accountId: number, publicKey: Buffer) =>
  rows(
    tx,
    sql`select pg_advisory_xact_lock(7308327, key) from
      (select hashtext(k) as key from unnest(array[${`account ${accountId}`}, ${publicKey.toString('hex')}]) k order by 1) keys`,
  )

/** How many the account got since then, and whether another account has the key. */
export const issueFacts = (db: Db, accountId: number, publicKey: Buffer, since: Date) =>
  row(
    db,
    sql<{ recent: number; foreign: boolean }>`select
      (select count(*)::int from issued_certificate where account_id = ${accountId} and issued_at > ${since}) as recent,
      exists (select 1 from issued_certificate where public_key = ${publicKey} and account_id <> ${accountId}) as foreign`,
  )

export const insertIssued = (
  db: Db,
  i: Omit<IssuedCertificate, 'revokedAt' | 'reason'> & { readonly publicKey: Buffer },
) =>
  affected(
    db,
    sql`insert into issued_certificate (serial, vo, account_id, subject, public_key, not_before, not_after, issued_at, issued_by)
    values (${i.serial}, ${i.vo}, ${i.accountId}, ${i.subject}, ${i.publicKey}, ${i.notBefore}, ${i.notAfter}, ${i.issuedAt}, ${i.issuedBy})`,
  )

/** Newest first, at most 100 of each account. */
export const selectIssued = (db: Db, accountIds: readonly number[]) =>
  rows(
    db,
    sql<IssuedCertificate>`select i.* from unnest(${accountIds as number[]}::int[]) a(id) cross join lateral (
      select ${ISSUED} from issued_certificate where account_id = a.id order by issued_at desc limit 100) i`,
  )

export const holderOf = (db: Db, vo: string, serial: string) =>
  row(
    db,
    sql<{
      accountId: number
    }>`select account_id as "accountId" from issued_certificate where vo = ${vo} and serial = ${serial}`,
  )

/** Those that were not revoked before. */
export const revokeIssued = (db: Db, vo: string, serials: readonly string[], reason: string, now: Date) =>
  rows(
    db,
    sql<IssuedCertificate>`update issued_certificate set revoked_at = ${now}, reason = ${reason}
    where vo = ${vo} and serial = any(${serials as string[]}::text[]) and revoked_at is null returning ${ISSUED}`,
  )

/** Revoked ones that have not ended: what a list of revoked certificates names. */
export const selectRevoked = (db: Db, now: Date) =>
  rows(
    db,
    sql<{ serial: string; at: Date }>`select serial, revoked_at as at from issued_certificate
    where revoked_at is not null and not_after > ${now}::timestamptz - interval '1 day' order by serial`,
  )

export const isRevoked = (db: Db, serial: string) =>
  row(
    db,
    sql<{
      revoked: boolean
    }>`select revoked_at is not null as revoked from issued_certificate where serial = ${serial}`,
  )

/** What ended long ago is of no use to anybody; keys stay reserved for their accounts until then. */
export const dropOldIssues = (db: Db, before: Date) =>
  affected(db, sql`delete from issued_certificate where not_after < ${before}`)

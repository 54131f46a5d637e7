import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { AccountKind, AccountStatus } from '../accounts/account.ts'
import type { CertificateRecord, CertificateRequest, CertificateState } from './certificate.ts'

const RECORD =
  sql.raw(`c.id, c.vo, c.account_id as "accountId", c.subject_slash as subject, c.subject_rfc as "subjectRfc",
  c.issuer_slash as issuer, c.issuer_rfc as "issuerRfc", c.pem, c.not_after as "notAfter", c.label, c.origin,
  c.pem is null as weak, c.state, c.reason, c.created_at as "createdAt", c.updated_at as "updatedAt", c.seen_at as "seenAt"`)

/** A record with what is compared and the account it belongs to. */
export interface StoredCertificate extends CertificateRecord {
  readonly subjectKey: string
  readonly issuerKey: string | null
  readonly account: string
  readonly accountKind: AccountKind
  readonly accountStatus: AccountStatus
}
const STORED = sql`${RECORD}, c.subject_key as "subjectKey", c.issuer_key as "issuerKey",
  a.name as account, a.kind as "accountKind", a.status as "accountStatus"`

/** What is written of a certificate, or of a name that stands for one. */
export interface CertificateRow {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly subjectKey: string
  readonly issuerKey: string | null
  readonly subject: string
  readonly subjectRfc: string
  readonly issuer: string | null
  readonly issuerRfc: string | null
  readonly pem: string | null
  readonly notAfter: Date | null
  readonly label: string
  readonly origin: string
}

const ROW =
  sql.raw(`as n(id uuid, vo text, "accountId" int, "subjectKey" text, "issuerKey" text, subject text, "subjectRfc" text,
  issuer text, "issuerRfc" text, pem text, "notAfter" timestamptz, label text, origin text)`)

/** One change at a time for each of these subjects, until the transaction ends. */
export const lockSubjects = (tx: Db, vo: string, keys: readonly string[]) =>
  rows(
    tx,
    sql`select pg_advisory_xact_lock(7308326, hashtext(key)) from (
      select distinct ${vo} || ' ' || k as key from unnest(${keys as string[]}::text[]) k order by 1) wanted`,
  )

/** Everything known of these subjects, also what was unlinked; of every VO when none is named. */
export const certificatesOfSubjects = (db: Db, vo: string | null, keys: readonly string[]) =>
  rows(
    db,
    sql<StoredCertificate>`select ${STORED} from certificate c join account a on a.id = c.account_id
    where c.subject_key = any(${keys as string[]}::text[]) and (${vo}::text is null or c.vo = ${vo})
    order by c.vo, c.created_at`,
  )

export const certificatesById = (db: Db, vo: string, ids: readonly string[]) =>
  rows(
    db,
    sql<StoredCertificate>`select ${STORED} from certificate c join account a on a.id = c.account_id
    where c.vo = ${vo} and c.id = any(${ids as string[]}::uuid[])`,
  )

/** Linked and suspended ones. */
export const certificatesOfAccounts = (db: Db, accountIds: readonly number[]) =>
  rows(
    db,
    sql<CertificateRecord>`select ${RECORD} from certificate c
    where c.account_id = any(${accountIds as number[]}::int[]) and c.state <> 'UNLINKED' order by c.created_at, c.id`,
  )

export const insertCertificates = (db: Db, list: readonly CertificateRow[], now: Date) =>
  rows(
    db,
    sql<{
      id: string
    }>`insert into certificate (id, vo, account_id, subject_key, issuer_key, subject_slash, subject_rfc,
      issuer_slash, issuer_rfc, pem, not_after, label, origin, created_at, updated_at)
    select id, vo, "accountId", "subjectKey", "issuerKey", subject, "subjectRfc", issuer, "issuerRfc", pem, "notAfter",
      label, origin, ${now}, ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) ${ROW}
    on conflict on constraint certificate_once do nothing returning id`,
  )

/** Writes what is known now into the records of these ids; what is not known leaves what was. */
export const rewriteCertificates = (db: Db, list: readonly CertificateRow[], now: Date) =>
  affected(
    db,
    sql`update certificate c set account_id = n."accountId", issuer_key = coalesce(n."issuerKey", c.issuer_key),
      subject_slash = n.subject, subject_rfc = n."subjectRfc", issuer_slash = coalesce(n.issuer, c.issuer_slash),
      issuer_rfc = coalesce(n."issuerRfc", c.issuer_rfc), origin = n.origin, state = 'LINKED', reason = '', updated_at = ${now},
      pem = case when n."notAfter" >= coalesce(c.not_after, n."notAfter") then n.pem else c.pem end,
      not_after = greatest(c.not_after, n."notAfter"), label = case when n.label = '' then c.label else n.label end
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) ${ROW} where c.id = n.id`,
  )

export const setCertificateState = (
  db: Db,
  ids: readonly string[],
  state: CertificateState,
  reason: string,
  now: Date,
) =>
  affected(
    db,
    sql`update certificate set state = ${state}, reason = ${reason}, updated_at = ${now}
    where id = any(${ids as string[]}::uuid[])`,
  )

/** Notes when a certificate was used, about once an hour. */
export const noteSeen = (db: Db, id: string, now: Date) =>
  affected(
    db,
    sql`update certificate set seen_at = ${now} where id = ${id}::uuid
    and (seen_at is null or seen_at < ${now}::timestamptz - interval '1 hour')`,
  )

// The names as the data catalogue's clients see them

export const putNames = (db: Db, list: readonly { accountId: number; subject: string }[], now: Date) =>
  affected(
    db,
    sql`insert into account_identity (account_id, kind, identity, created_at)
    select "accountId", 'X509', subject, ${now} from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
      as n("accountId" int, subject text) on conflict do nothing`,
  )

/** A name goes when no certificate of the account has it any more. */
export const dropUnusedNames = (db: Db, accountId: number, subject: string) =>
  affected(
    db,
    sql`delete from account_identity i where account_id = ${accountId} and kind = 'X509' and identity = ${subject}
    and not exists (select 1 from certificate c where c.account_id = i.account_id and c.subject_slash = i.identity
      and c.state <> 'UNLINKED')`,
  )

// Requests

const REQUEST =
  sql.raw(`r.id, r.vo, r.account_id as "accountId", a.name as account, r.state, r.created_at as "createdAt",
  r.decided_at as "decidedAt", r.decided_by as "decidedBy", r.motivation, r.pem`)
export type StoredRequest = Omit<CertificateRequest, 'subject' | 'issuer'> & { readonly pem: string }

export const insertRequest = (
  db: Db,
  r: { id: string; vo: string; accountId: number; subjectKey: string; issuerKey: string; pem: string },
  now: Date,
) =>
  affected(
    db,
    sql`insert into certificate_request (id, vo, account_id, subject_key, issuer_key, pem, created_at)
    values (${r.id}, ${r.vo}, ${r.accountId}, ${r.subjectKey}, ${r.issuerKey}, ${r.pem}, ${now})
    on conflict (vo, subject_key, issuer_key) where state = 'PENDING' do nothing`,
  )

export const selectRequests = (db: Db, vo: string, state: string | null) =>
  rows(
    db,
    sql<StoredRequest>`select ${REQUEST} from certificate_request r join account a on a.id = r.account_id
    where r.vo = ${vo} and (${state}::text is null or r.state = ${state}) order by r.created_at desc limit 1000`,
  )

export const decideRequest = (
  db: Db,
  vo: string,
  id: string,
  decision: { state: 'APPROVED' | 'REJECTED'; by: string; motivation: string },
  now: Date,
) =>
  row(
    db,
    sql<StoredRequest>`with r as (update certificate_request set state = ${decision.state}, decided_at = ${now},
      decided_by = ${decision.by}, motivation = ${decision.motivation}
      where vo = ${vo} and id = ${id}::uuid and state = 'PENDING' returning *)
    select ${REQUEST} from r join account a on a.id = r.account_id`,
  )

// Grid-mapfile

export const selectGridmap = (db: Db, vo: string) =>
  rows(
    db,
    sql<{
      subject: string
      accounts: string[]
    }>`select c.subject_slash as subject, array_agg(distinct a.name order by a.name) as accounts
    from certificate c join account a on a.id = c.account_id
    where c.vo = ${vo} and c.state = 'LINKED' and a.status = 'ACTIVE' group by c.subject_slash order by c.subject_slash`,
  )

import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export interface UsagePolicy {
  readonly vo: string
  readonly version: number
  readonly url: string | null
  readonly text: string | null
  readonly description: string
  readonly validityDays: number
  readonly reminderDays: readonly number[]
  /** Older signatures count no more. */
  readonly signFrom: Date
  readonly publishedAt: Date
  readonly publishedBy: string
}

export interface Signature {
  readonly accountId: number
  readonly version: number
  readonly signedAt: Date
  readonly signedBy: string
}

const POLICY = sql.raw(`vo, version, url, text, description, validity_days as "validityDays",
  reminder_days as "reminderDays", sign_from as "signFrom", published_at as "publishedAt", published_by as "publishedBy"`)
const SIGNATURE = sql.raw(
  `account_id as "accountId", version, signed_at as "signedAt", signed_by as "signedBy"`,
)

export const selectPolicy = (db: Db, vo: string) =>
  row(
    db,
    sql<UsagePolicy>`select ${POLICY} from usage_policy where vo = ${vo} and withdrawn_at is null
    order by version desc limit 1`,
  )

export interface PolicyVersion extends Omit<UsagePolicy, 'vo'> {
  readonly withdrawnAt: Date | null
  /** How many people signed just this version. */
  readonly signatures: number
}

export interface PolicyVersions {
  readonly versions: readonly PolicyVersion[]
  readonly signed: number
  readonly unsigned: number
}

export const selectVersions = (db: Db, vo: string) =>
  rows(
    db,
    sql<PolicyVersion>`select p.version, p.url, p.text, p.description, p.validity_days as "validityDays",
      p.reminder_days as "reminderDays", p.sign_from as "signFrom", p.published_at as "publishedAt",
      p.published_by as "publishedBy", p.withdrawn_at as "withdrawnAt", (
        select count(distinct s.account_id)::int from policy_signature s
        where s.vo = p.vo and s.version = p.version and s.withdrawn_at is null) as signatures
    from usage_policy p where p.vo = ${vo} order by p.version desc limit 200`,
  )

/** Active people by whether their last signature counts under the policy in force. */
export const countSigners = async (db: Db, vo: string, now: Date) =>
  (await row(
    db,
    sql<{ signed: number; unsigned: number }>`with policy as (
      select sign_from, validity_days from usage_policy where vo = ${vo} and withdrawn_at is null
      order by version desc limit 1),
    person as (select coalesce((
        select max(s.signed_at) from policy_signature s where s.account_id = a.id and s.withdrawn_at is null
      ) >= p.sign_from and (p.validity_days = 0 or (
        select max(s.signed_at) from policy_signature s where s.account_id = a.id and s.withdrawn_at is null
      ) > ${now}::timestamptz - make_interval(days => p.validity_days)), false) as good
      from account a cross join policy p where a.vo = ${vo} and a.kind = 'USER' and a.status = 'ACTIVE')
    select count(*) filter (where good)::int as signed, count(*) filter (where not good)::int as unsigned from person`,
  ))!

/** The policy in force, while nobody else publishes one. */
export async function holdPolicies(tx: Db, vo: string): Promise<UsagePolicy | undefined> {
  await rows(tx, sql`select 1 from vo where id = ${vo} for update`)
  return selectPolicy(tx, vo)
}

export const insertPolicy = async (
  db: Db,
  p: {
    vo: string
    url: string | null
    text: string | null
    sha256: Buffer | null
    description: string
    validityDays: number
    reminderDays: readonly number[]
    signFrom: Date
    by: string
  },
  now: Date,
) =>
  (await row(
    db,
    sql<UsagePolicy>`insert into usage_policy (vo, version, url, text, text_sha256, description, validity_days,
      reminder_days, sign_from, published_at, published_by)
    select ${p.vo}, coalesce(max(version), 0) + 1, ${p.url}, ${p.text}, ${p.sha256}::bytea, ${p.description},
      ${p.validityDays}, ${p.reminderDays as number[]}::int[], ${p.signFrom}, ${now}, ${p.by}
    from usage_policy where vo = ${p.vo} returning ${POLICY}`,
  ))!

export const moveSignFrom = (db: Db, vo: string, version: number, now: Date) =>
  row(
    db,
    sql<UsagePolicy>`update usage_policy set sign_from = ${now} where vo = ${vo} and version = ${version}
    returning ${POLICY}`,
  )

export const withdrawPolicies = (db: Db, vo: string, now: Date) =>
  affected(db, sql`update usage_policy set withdrawn_at = ${now} where vo = ${vo} and withdrawn_at is null`)

export const insertSignature = async (
  db: Db,
  s: { accountId: number; vo: string; version: number; signedBy: string },
  now: Date,
) =>
  (await row(
    db,
    sql<Signature>`insert into policy_signature (account_id, vo, version, signed_at, signed_by)
    values (${s.accountId}, ${s.vo}, ${s.version}, ${now}, ${s.signedBy})
    on conflict (account_id, signed_at) do update
      set version = excluded.version, signed_by = excluded.signed_by, withdrawn_at = null returning ${SIGNATURE}`,
  ))!

export const selectSignature = (db: Db, accountId: number) =>
  row(
    db,
    sql<Signature>`select ${SIGNATURE} from policy_signature
    where account_id = ${accountId} and withdrawn_at is null order by signed_at desc limit 1`,
  )

export const withdrawSignatures = (db: Db, accountId: number, now: Date) =>
  affected(
    db,
    sql`update policy_signature set withdrawn_at = ${now} where account_id = ${accountId} and withdrawn_at is null`,
  )

import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

/** A credential that somebody left with the grid; the credential itself is never shown. */
export interface Delegation {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly purpose: string
  /** Whose proxy it is, slash form. */
  readonly subject: string
  readonly issuer: string
  readonly notAfter: Date
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly usedAt: Date | null
}

export interface DelegationKey {
  readonly vo: string
  readonly id: string
  readonly purpose: string
}

export interface StoredDelegation extends Omit<Delegation, 'notAfter'> {
  readonly notAfter: Date | null
  readonly requestedKey: Buffer | null
  readonly requestedUntil: Date | null
  readonly credential: Buffer | null
}

const COLUMNS = sql.raw(`id, vo, account_id as "accountId", purpose, subject, issuer, not_after as "notAfter",
  created_at as "createdAt", updated_at as "updatedAt", used_at as "usedAt"`)
const SECRETS = sql.raw(`requested_key as "requestedKey", requested_until as "requestedUntil", credential`)

/** One change at a time for each, until the transaction ends. */
export const selectForChange = (tx: Db, key: DelegationKey) =>
  row(
    tx,
    sql<StoredDelegation>`select ${COLUMNS}, ${SECRETS} from delegation
    where vo = ${key.vo} and id = ${key.id} and purpose = ${key.purpose} for update`,
  )

/** Keeps what is stored already; a new row begins without a credential. */
export const putRequest = (
  tx: Db,
  r: DelegationKey & { accountId: number; subject: string; issuer: string; key: Buffer; until: Date },
  now: Date,
) =>
  affected(
    tx,
    sql`insert into delegation (id, vo, account_id, purpose, subject, issuer, requested_key, requested_until, created_at, updated_at)
    values (${r.id}, ${r.vo}, ${r.accountId}, ${r.purpose}, ${r.subject}, ${r.issuer}, ${r.key}, ${r.until}, ${now}, ${now})
    on conflict (vo, id, purpose) do update set requested_key = excluded.requested_key, requested_until = excluded.requested_until,
      updated_at = excluded.updated_at`,
  )

export const putCredential = (
  tx: Db,
  c: DelegationKey & { subject: string; issuer: string; credential: Buffer; notAfter: Date },
  now: Date,
) =>
  affected(
    tx,
    sql`update delegation set subject = ${c.subject}, issuer = ${c.issuer}, credential = ${c.credential}, not_after = ${c.notAfter},
      requested_key = null, requested_until = null, updated_at = ${now}, used_at = null
    where vo = ${c.vo} and id = ${c.id} and purpose = ${c.purpose}`,
  )

/** Those that can be used. */
export const selectDelegations = (db: Db, accountIds: readonly number[], now: Date) =>
  rows(
    db,
    sql<Delegation>`select ${COLUMNS} from delegation
    where account_id = any(${accountIds as number[]}::int[]) and credential is not null and not_after > ${now}
    order by purpose, not_after desc`,
  )

/** The one that lasts longest. */
export const selectUsable = (db: Db, accountId: number, purpose: string, now: Date) =>
  row(
    db,
    sql<StoredDelegation>`select ${COLUMNS}, ${SECRETS} from delegation
    where account_id = ${accountId} and purpose = ${purpose} and credential is not null and not_after > ${now}
    order by not_after desc limit 1`,
  )

export const noteUse = (db: Db, key: DelegationKey, now: Date) =>
  affected(
    db,
    sql`update delegation set used_at = ${now} where vo = ${key.vo} and id = ${key.id} and purpose = ${key.purpose}`,
  )

export const deleteDelegation = (tx: Db, key: DelegationKey & { accountId: number }) =>
  affected(
    tx,
    sql`delete from delegation where vo = ${key.vo} and id = ${key.id} and purpose = ${key.purpose}
    and account_id = ${key.accountId}`,
  )

/** What can be used no more, and requests that nobody answered. */
export const dropEnded = (db: Db, now: Date) =>
  affected(
    db,
    sql`delete from delegation where coalesce(not_after, '-infinity') <= ${now}
    and coalesce(requested_until, '-infinity') <= ${now}`,
  )

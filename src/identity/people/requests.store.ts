import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Page } from './condition.ts'

export type RequestKind = 'registration' | 'group'
export type RequestState = 'NEW' | 'CONFIRMED' | 'PENDING' | 'APPROVED' | 'REJECTED'

/** Somebody's wish to become a member of the VO or of a group. */
export interface MembershipRequest {
  readonly id: string
  readonly vo: string
  readonly kind: RequestKind
  /** Null after a rejected registration. */
  readonly accountId: number | null
  readonly accountUuid: string | null
  readonly username: string
  readonly givenName: string
  readonly familyName: string
  readonly institute: string
  readonly email: string | null
  readonly emailVerified: boolean
  readonly groupId: number | null
  readonly groupUuid: string | null
  readonly group: string | null
  readonly state: RequestState
  readonly notes: string
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly decidedBy: string | null
  readonly motivation: string
}

export interface RequestFilter {
  readonly kind: RequestKind
  readonly id?: string | undefined
  readonly states?: readonly RequestState[] | undefined
  readonly username?: string | undefined
  readonly group?: string | undefined
  /** Only requests of groups that this account manages. */
  readonly managedBy?: number | undefined
  /** Only requests that this account made or, as a manager, decides. */
  readonly concerning?: number | undefined
}

const REQUEST = sql.raw(`r.id, r.vo, r.kind, r.account_id as "accountId", a.uuid as "accountUuid", r.username,
  coalesce(a.given_name, '') as "givenName", coalesce(a.family_name, '') as "familyName",
  coalesce(a.institute, '') as institute, e.address as email, e.verified_at is not null as "emailVerified",
  g.id as "groupId", g.uuid as "groupUuid", g.path as "group", r.state, r.notes, r.created_at as "createdAt",
  r.updated_at as "updatedAt", r.decided_by as "decidedBy", r.motivation`)
const TABLES = sql.raw(`request r left join account a on a.id = r.account_id
  left join email e on e.account_id = a.id and e.is_primary left join grp g on g.id = r.grp_id`)

const fits = (vo: string, f: RequestFilter) => sql`r.vo = ${vo} and r.kind = ${f.kind}
  and (${f.states === undefined} or r.state = any(${(f.states ?? []) as string[]}::text[]))
  and (${f.username ?? null}::text is null or r.username = ${f.username ?? null})
  and (${f.group ?? null}::text is null or g.path = ${f.group ?? null})
  and (${f.id ?? null}::uuid is null or r.id = ${f.id ?? null}::uuid)
  and (${f.managedBy ?? null}::int is null or exists (
    select 1 from group_manager m where m.grp_id = r.grp_id and m.account_id = ${f.managedBy ?? null}))
  and (${f.concerning ?? null}::int is null or r.account_id = ${f.concerning ?? null} or exists (
    select 1 from group_manager m where m.grp_id = r.grp_id and m.account_id = ${f.concerning ?? null}))`

export const selectRequests = (
  db: Db,
  vo: string,
  filter: RequestFilter,
  { offset, limit, descending = false }: Page,
) =>
  rows(
    db,
    sql<MembershipRequest>`select ${REQUEST} from ${TABLES} where ${fits(vo, filter)}
    order by ${sql.raw(descending ? 'r.updated_at desc, r.id desc' : 'r.created_at, r.id')} offset ${offset} limit ${limit}`,
  )

export const countRequests = async (db: Db, vo: string, filter: RequestFilter): Promise<number> =>
  (await row(db, sql<{ n: number }>`select count(*)::int as n from ${TABLES} where ${fits(vo, filter)}`))!.n

export const selectRequest = (db: Db, vo: string, id: string) =>
  row(db, sql<MembershipRequest>`select ${REQUEST} from ${TABLES} where r.vo = ${vo} and r.id = ${id}::uuid`)

export const insertRequest = (
  db: Db,
  r: {
    id: string
    vo: string
    kind: RequestKind
    accountId: number
    username: string
    groupId: number | null
    state: RequestState
    notes: string
    confirmation: Buffer | null
  },
  now: Date,
) =>
  affected(
    db,
    sql`insert into request (id, vo, kind, account_id, username, grp_id, state, notes, created_at, updated_at, confirmation)
    values (${r.id}, ${r.vo}, ${r.kind}, ${r.accountId}, ${r.username}, ${r.groupId}, ${r.state}, ${r.notes}, ${now}, ${now},
      ${r.confirmation}::bytea) on conflict do nothing`,
  )

/** The link of an e-mail was used: only the first time counts. */
export const confirmRequest = (db: Db, vo: string, confirmation: Buffer, now: Date) =>
  row(
    db,
    sql<{
      id: string
      accountId: number
      username: string
    }>`update request set state = 'CONFIRMED', updated_at = ${now}, confirmation = null
    where vo = ${vo} and confirmation = ${confirmation} and state = 'NEW'
    returning id, account_id as "accountId", username`,
  )

/** Decides a request that is still open; nothing happens to one that is not. */
export const decideRequest = (
  db: Db,
  id: string,
  d: { state: 'APPROVED' | 'REJECTED'; by: string; motivation: string },
  now: Date,
) =>
  affected(
    db,
    sql`update request set state = ${d.state}, decided_by = ${d.by}, motivation = ${d.motivation}, updated_at = ${now},
      confirmation = null where id = ${id}::uuid and state in ('NEW', 'CONFIRMED', 'PENDING')`,
  )

export const deleteRequest = (db: Db, id: string) =>
  affected(db, sql`delete from request where id = ${id}::uuid`)

export const openRegistrations = async (db: Db, vo: string): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from request
    where vo = ${vo} and kind = 'registration' and state in ('NEW', 'CONFIRMED')`,
  ))!.n

/** A registration that is not approved leaves nothing behind but its request. */
export async function dropPendingAccount(tx: Db, id: number): Promise<void> {
  const pending = sql`select id from account where id = ${id} and status = 'PENDING'`
  await affected(tx, sql`delete from account_identity where account_id in (${pending})`)
  await affected(tx, sql`delete from account where id in (${pending})`)
}

export const approveAccount = (tx: Db, id: number, now: Date) =>
  affected(
    tx,
    sql`update account set status = 'ACTIVE', updated_at = ${now} where id = ${id} and status = 'PENDING'`,
  )

export const staleRegistrations = (db: Db, before: Date) =>
  rows(
    db,
    sql<{ id: string; vo: string }>`select id, vo from request
    where kind = 'registration' and state = 'NEW' and created_at < ${before} limit 1000`,
  )

export const isMember = async (db: Db, accountId: number, groupId: number, now: Date): Promise<boolean> =>
  (await row(
    db,
    sql`select 1 from membership where account_id = ${accountId} and grp_id = ${groupId}
    and (until is null or until > ${now})`,
  )) !== undefined

export const userNameTaken = async (db: Db, vo: string, username: string): Promise<boolean> =>
  (await row(
    db,
    sql`select 1 from account_identity i join account a on a.id = i.account_id
    where a.vo = ${vo} and i.kind = 'USERPASS' and i.identity = ${username}`,
  )) !== undefined

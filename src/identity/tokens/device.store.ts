import { affected, type Db, row, sql } from '../../kernel/database.ts'

export interface DeviceRow {
  readonly vo: string
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly address: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

const DEVICE = sql.raw(`vo, client_id as "clientId", scopes, audience, address, created_at as "createdAt",
  expires_at as "expiresAt"`)

/** None when the user code is taken at the moment. */
export const insertDevice = (
  db: Db,
  hashes: { device: Buffer; user: Buffer },
  d: DeviceRow,
  intervalSeconds: number,
) =>
  affected(
    db,
    sql`insert into device_grant (device_hash, user_hash, vo, client_id, scopes, audience, address, interval_seconds,
      created_at, expires_at)
    values (${hashes.device}, ${hashes.user}, ${d.vo}, ${d.clientId}, ${d.scopes as string[]}, ${d.audience as string[]},
      ${d.address}, ${intervalSeconds}, ${d.createdAt}, ${d.expiresAt}) on conflict (user_hash) do nothing`,
  )

export const countDevices = async (db: Db, address: string, now: Date): Promise<number> => {
  const found = await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from device_grant
    where address = ${address} and state = 'pending' and expires_at > ${now}`,
  )
  return found!.n
}

/** What waits for a decision under this user code. */
export const selectPending = (db: Db, vo: string, user: Buffer, now: Date) =>
  row(
    db,
    sql<DeviceRow>`select ${DEVICE} from device_grant
    where vo = ${vo} and user_hash = ${user} and state = 'pending' and expires_at > ${now}`,
  )

/** Only the first decision counts. */
export const decide = (
  db: Db,
  vo: string,
  user: Buffer,
  d: { state: 'approved' | 'denied'; accountId: number; authenticatedAt: Date; scopes: readonly string[] },
  now: Date,
) =>
  affected(
    db,
    sql`update device_grant set state = ${d.state}, account_id = ${d.accountId}, authenticated_at = ${d.authenticatedAt},
      scopes = ${d.scopes as string[]}
    where vo = ${vo} and user_hash = ${user} and state = 'pending' and expires_at > ${now}`,
  )

export interface Polled extends DeviceRow {
  /** As it was before this poll. */
  readonly state: 'pending' | 'approved' | 'denied' | 'used'
  readonly accountId: number | null
  readonly authenticatedAt: Date | null
  readonly tooEarly: boolean
}

/** Notes the poll; an approved grant is used by it, and one that polls too fast has to wait five seconds longer from now on. */
export const poll = (db: Db, vo: string, clientId: string, device: Buffer, now: Date) =>
  row(
    db,
    sql<Polled>`with old as (
      select *, state = 'pending' and coalesce(polled_at + make_interval(secs => interval_seconds) > ${now}, false) as early
      from device_grant where device_hash = ${device} and vo = ${vo} and client_id = ${clientId} for update),
    noted as (
      update device_grant d set polled_at = ${now}, state = case when old.state = 'approved' then 'used' else old.state end,
        interval_seconds = old.interval_seconds + case when old.early then 5 else 0 end
      from old where d.device_hash = old.device_hash)
    select ${DEVICE}, state, account_id as "accountId", authenticated_at as "authenticatedAt", early as "tooEarly" from old`,
  )

export const dropOldDevices = (db: Db, before: Date) =>
  affected(db, sql`delete from device_grant where expires_at < ${before}`)

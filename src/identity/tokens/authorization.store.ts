import { affected, type Db, row, sql } from '../../kernel/database.ts'

export interface InteractionRow {
  readonly vo: string
  readonly clientId: string
  readonly redirectUri: string
  readonly state: string | null
  readonly nonce: string | null
  readonly challenge: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly loginAfter: Date | null
  readonly askConsent: boolean
  readonly expiresAt: Date
}

const INTERACTION =
  sql.raw(`vo, client_id as "clientId", redirect_uri as "redirectUri", state, nonce, challenge, scopes,
  audience, login_after as "loginAfter", ask_consent as "askConsent", expires_at as "expiresAt"`)

export const insertInteraction = (db: Db, hash: Buffer, i: InteractionRow) =>
  affected(
    db,
    sql`insert into oauth_interaction (id_hash, vo, client_id, redirect_uri, state, nonce, challenge, scopes, audience,
      login_after, ask_consent, expires_at)
    values (${hash}, ${i.vo}, ${i.clientId}, ${i.redirectUri}, ${i.state}, ${i.nonce}, ${i.challenge},
      ${i.scopes as string[]}, ${i.audience as string[]}, ${i.loginAfter}, ${i.askConsent}, ${i.expiresAt})`,
  )

export const selectInteraction = (db: Db, vo: string, hash: Buffer, now: Date) =>
  row(
    db,
    sql<InteractionRow>`select ${INTERACTION} from oauth_interaction
    where vo = ${vo} and id_hash = ${hash} and decided_at is null and expires_at > ${now}`,
  )

/** Only the first of several deciders gets it. */
export const takeInteraction = (db: Db, vo: string, hash: Buffer, now: Date) =>
  row(
    db,
    sql<InteractionRow>`update oauth_interaction set decided_at = ${now}
    where vo = ${vo} and id_hash = ${hash} and decided_at is null and expires_at > ${now} returning ${INTERACTION}`,
  )

export interface CodeRow {
  readonly grantId: string
  readonly vo: string
  readonly clientId: string
  readonly accountId: number
  readonly redirectUri: string
  readonly nonce: string | null
  readonly challenge: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly authenticatedAt: Date
  readonly expiresAt: Date
}

export const insertCode = (db: Db, hash: Buffer, c: CodeRow) =>
  affected(
    db,
    sql`insert into authorization_code (code_hash, grant_id, vo, client_id, account_id, redirect_uri, nonce, challenge,
      scopes, audience, authenticated_at, expires_at)
    values (${hash}, ${c.grantId}, ${c.vo}, ${c.clientId}, ${c.accountId}, ${c.redirectUri}, ${c.nonce}, ${c.challenge},
      ${c.scopes as string[]}, ${c.audience as string[]}, ${c.authenticatedAt}, ${c.expiresAt})`,
  )

/** The code as it was before this use: `usedAt` is null for the first user alone. */
export const voOfCode = async (db: Db, hash: Buffer): Promise<string | undefined> =>
  (await row(db, sql<{ vo: string }>`select vo from authorization_code where code_hash = ${hash}`))?.vo

export const takeCode = (db: Db, hash: Buffer, now: Date) =>
  row(
    db,
    sql<CodeRow & { usedAt: Date | null }>`with old as (
      select * from authorization_code where code_hash = ${hash} for update),
    used as (
      update authorization_code c set used_at = ${now} from old where c.code_hash = old.code_hash and old.used_at is null)
    select grant_id as "grantId", vo, client_id as "clientId", account_id as "accountId", redirect_uri as "redirectUri",
      nonce, challenge, scopes, audience, authenticated_at as "authenticatedAt", expires_at as "expiresAt",
      used_at as "usedAt" from old`,
  )

export async function dropOldInteractions(db: Db, before: Date): Promise<void> {
  await affected(db, sql`delete from oauth_interaction where expires_at < ${before}`)
  await affected(db, sql`delete from authorization_code where expires_at < ${before}`)
}

import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Algorithm } from './jws.ts'

export interface SealedKey {
  kid: string
  alg: Algorithm
  jwk: Record<string, unknown>
  sealed: Buffer
  activeFrom: Date
}

/** One rotation of a VO's keys at a time, over all processes. */
export const lockKeys = (db: Db, vo: string) =>
  rows(db, sql`select pg_advisory_xact_lock(hashtext(${`signing_key ${vo}`}))`)

export const selectKeys = (db: Db, vo: string, now: Date) =>
  rows(
    db,
    sql<SealedKey>`select kid, alg, public_jwk as jwk, private_sealed as sealed, active_from as "activeFrom"
    from signing_key where vo = ${vo} and retire_at > ${now} order by active_from`,
  )

export const insertKey = (db: Db, vo: string, k: SealedKey, retireAt: Date, now: Date) =>
  affected(
    db,
    sql`insert into signing_key (kid, vo, alg, public_jwk, private_sealed, published_at, active_from, retire_at)
    values (${k.kid}, ${vo}, ${k.alg}, ${JSON.stringify(k.jwk)}::jsonb, ${k.sealed}, ${now}, ${k.activeFrom}, ${retireAt})`,
  )

export const selectAlgorithm = async (db: Db, vo: string): Promise<Algorithm> => {
  const found = await row(db, sql<{ alg: Algorithm }>`select token_alg as alg from vo where id = ${vo}`)
  return found?.alg ?? 'ES256'
}

export const updateAlgorithm = (db: Db, vo: string, alg: Algorithm) =>
  affected(db, sql`update vo set token_alg = ${alg} where id = ${vo}`)

import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { JwksDocument } from './token-verifier.ts'

export interface TrustedIssuerRow {
  readonly id: number
  readonly issuer: string
  readonly vo: string
  readonly callsItself: string
  readonly name: string
  readonly path: readonly string[]
  readonly audiences: readonly string[]
  readonly comment: string
  readonly jwks: JwksDocument | null
  readonly fetchedAt: Date | null
  /** Why the last attempt to fetch the keys failed; empty when it did not. */
  readonly problem: string
  readonly accounts: Readonly<Record<string, number>>
  /** The same by name. */
  readonly subjects: Readonly<Record<string, string>>
}

export type NewTrustedIssuer = Omit<TrustedIssuerRow, 'id' | 'problem' | 'fetchedAt' | 'subjects'>

export const selectTrustedIssuers = (db: Db, vo: string | null) =>
  rows(
    db,
    sql<TrustedIssuerRow>`select t.id, t.issuer, t.vo, t.calls_itself as "callsItself", t.name, t.path, t.audiences,
      t.comment, t.jwks, t.fetched_at as "fetchedAt", t.problem,
      coalesce(jsonb_object_agg(s.subject, s.account_id) filter (where s.subject is not null), '{}') as accounts,
      coalesce(jsonb_object_agg(s.subject, a.name) filter (where s.subject is not null), '{}') as subjects
    from trusted_issuer t left join trusted_subject s on s.issuer_id = t.id left join account a on a.id = s.account_id
    where ${vo}::text is null or t.vo = ${vo} group by t.id order by t.vo, t.issuer`,
  )

/** Undefined when another row has its issuer or its name. */
export async function insertTrustedIssuer(
  tx: Db,
  t: NewTrustedIssuer,
  now: Date,
): Promise<number | undefined> {
  const made = await row(
    tx,
    sql<{
      id: number
    }>`insert into trusted_issuer (issuer, vo, calls_itself, name, path, audiences, comment, jwks,
      fetched_at, tried_at, created_at)
    values (${t.issuer}, ${t.vo}, ${t.callsItself}, ${t.name}, ${t.path as string[]}, ${t.audiences as string[]},
      ${t.comment}, ${JSON.stringify(t.jwks)}::jsonb, ${now}, ${now}, ${now})
    on conflict do nothing returning id`,
  )
  if (!made) return undefined
  await affected(
    tx,
    sql`insert into trusted_subject (issuer_id, subject, account_id)
    select ${made.id}, key, value::int from jsonb_each_text(${JSON.stringify(t.accounts)}::jsonb)`,
  )
  return made.id
}

export const deleteTrustedIssuer = (tx: Db, vo: string, id: number) =>
  row(
    tx,
    sql<{ issuer: string }>`delete from trusted_issuer where vo = ${vo} and id = ${id} returning issuer`,
  )

/** Takes the issuers whose keys were last asked for before `since`; each goes to one process. */
export const claimRefresh = (db: Db, since: Date, now: Date, issuer: string | null) =>
  rows(
    db,
    sql<
      Pick<TrustedIssuerRow, 'id' | 'vo' | 'issuer' | 'callsItself'>
    >`update trusted_issuer set tried_at = ${now}
    where tried_at <= ${since} and (${issuer}::text is null or issuer = ${issuer})
    returning id, vo, issuer, calls_itself as "callsItself"`,
  )

export const putKeys = (tx: Db, id: number, jwks: JwksDocument, now: Date) =>
  affected(
    tx,
    sql`update trusted_issuer set jwks = ${JSON.stringify(jwks)}::jsonb, fetched_at = ${now}, problem = ''
    where id = ${id}`,
  )

export const putProblem = (db: Db, id: number, problem: string) =>
  affected(db, sql`update trusted_issuer set problem = ${problem} where id = ${id}`)

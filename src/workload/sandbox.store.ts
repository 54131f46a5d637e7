import { affected, type Db, row, rows, sql, type Tx } from '../kernel/index.ts'

export interface SandboxRow {
  readonly id: bigint
  readonly vo: string
  readonly ownerId: number
  readonly owner: string
  readonly group: string
  readonly sha256: string
  readonly format: string
  readonly bytes: bigint
  readonly storedAt: Date | null
}

export type SandboxKind = 'input' | 'output'
export type SandboxName = Pick<SandboxRow, 'vo' | 'owner' | 'group' | 'sha256' | 'format'>

const ROW = sql`s.id, s.vo, s.owner_id as "ownerId", s.owner, s.group_name as "group", s.sha256, s.format, s.bytes,
  s.stored_at as "storedAt"`

/** Whoever removes or announces an archive holds its content until the end of the transaction. */
const holdContent = (tx: Tx, vo: string, sha256: string) =>
  sql`select pg_advisory_xact_lock(hashtextextended(${`${vo} ${sha256}`}, 11))`.execute(tx)

/** Notes that an archive will be sent, or is used again. */
export async function announceSandbox(
  tx: Tx,
  now: Date,
  sandbox: Omit<SandboxRow, 'id' | 'storedAt'>,
): Promise<SandboxRow> {
  const { vo, ownerId, owner, group, sha256, format, bytes } = sandbox
  await holdContent(tx, vo, sha256)
  const made = await row(
    tx,
    sql<SandboxRow>`insert into sandbox as s (vo, owner_id, owner, group_name, sha256, format, bytes, created_at, used_at)
      values (${vo}, ${ownerId}, ${owner}, ${group}, ${sha256}, ${format}, ${bytes}, ${now}, ${now})
      on conflict (vo, owner_id, group_name, sha256, format)
        do update set used_at = excluded.used_at, condemned = false,
          bytes = case when s.stored_at is null then excluded.bytes else s.bytes end
      returning ${ROW}`,
  )
  return made!
}

export const sandboxByName = (db: Db, name: SandboxName): Promise<SandboxRow | undefined> =>
  row(
    db,
    sql<SandboxRow>`select ${ROW} from sandbox s where s.vo = ${name.vo} and s.owner = ${name.owner}
      and s.group_name = ${name.group} and s.sha256 = ${name.sha256} and s.format = ${name.format} and not s.condemned`,
  )

export async function markStored(db: Db, now: Date, id: bigint): Promise<void> {
  await sql`update sandbox set stored_at = ${now}, used_at = ${now} where id = ${id} and not condemned`.execute(
    db,
  )
}

/** Gives stored archives to jobs; the time of use keeps the collector away. Answers how many archives were there to give. */
export async function assignSandboxes(
  tx: Tx,
  now: Date,
  assignments: readonly { readonly jobId: bigint; readonly sandboxId: bigint; readonly kind: SandboxKind }[],
): Promise<number> {
  if (assignments.length === 0) return 0
  const list = JSON.stringify(
    assignments.map(({ jobId, sandboxId, kind }) => ({
      job: String(jobId),
      sandbox: String(sandboxId),
      kind,
    })),
  )
  const used = await row(
    tx,
    sql<{ n: number }>`
      with wanted as (select * from jsonb_to_recordset(${list}::jsonb) as w(job bigint, sandbox bigint, kind text)),
        used as (update sandbox set used_at = ${now} where id in (
            select id from sandbox where id in (select sandbox from wanted) order by id for update)
          and stored_at is not null returning id),
        given as (insert into job_sandbox (job_id, sandbox_id, kind)
          select w.job, w.sandbox, w.kind from wanted w join used u on u.id = w.sandbox on conflict do nothing)
      select count(*)::int as n from used`,
  )
  return used!.n
}

export const sandboxesOfJobs = (
  db: Db,
  jobIds: readonly bigint[],
): Promise<(SandboxRow & { readonly jobId: bigint; readonly kind: SandboxKind })[]> =>
  rows(
    db,
    sql<SandboxRow & { jobId: bigint; kind: SandboxKind }>`select ${ROW}, j.job_id as "jobId", j.kind
      from job_sandbox j join sandbox s on s.id = j.sandbox_id where j.job_id = any(${jobIds}::bigint[])
      order by j.job_id, j.kind, s.id`,
  )

/** Jobs let go of their archives; `kind` null: of all. */
export async function dropSandboxesOfJobs(
  tx: Db,
  jobIds: readonly bigint[],
  kind: SandboxKind | null = null,
): Promise<void> {
  await sql`delete from job_sandbox where job_id = any(${jobIds}::bigint[])
    and (${kind}::text is null or kind = ${kind})`.execute(tx)
}

/** Condemns archives that no job has and that nobody used since; they count as not stored from then on. */
export const condemnSandboxes = (db: Db, before: Date, limit: number): Promise<number> =>
  affected(
    db,
    sql`update sandbox set condemned = true, stored_at = null where id in (
        select s.id from sandbox s where not s.condemned and s.used_at < ${before}
          and not exists (select from job_sandbox j where j.sandbox_id = s.id)
        order by s.used_at limit ${limit})
      and used_at < ${before} and not condemned`,
  )

export const condemnedSandboxes = (db: Db, limit: number): Promise<SandboxRow[]> =>
  rows(db, sql<SandboxRow>`select ${ROW} from sandbox s where s.condemned order by s.id limit ${limit}`)

/**
 * Forgets a condemned archive. Answers whether its bytes may go as well: nobody else has the same ones. The content is
 * held until the end of the transaction, so that nobody can announce it between the answer and the removal.
 */
export async function forgetSandbox(tx: Tx, { id, vo, sha256, format }: SandboxRow): Promise<boolean> {
  await holdContent(tx, vo, sha256)
  const gone = await affected(tx, sql`delete from sandbox where id = ${id} and condemned`)
  if (gone === 0) return false
  const others = await row(
    tx,
    sql`select from sandbox where vo = ${vo} and sha256 = ${sha256} and format = ${format} limit 1`,
  )
  return others === undefined
}

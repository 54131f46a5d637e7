import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'

/** Where in a repository somebody else has to approve, and who said so. */
export interface ApprovalRow {
  readonly path: string
  readonly account: string
  readonly at: Date
}

export const approvalsOf = (db: Db, repositoryId: number): Promise<ApprovalRow[]> =>
  rows(
    db,
    sql<ApprovalRow>`select path, account, at from software_approval where repository_id = ${repositoryId} order by path`,
  )

export const insertApproval = (
  tx: Tx,
  now: Date,
  a: { repositoryId: number; path: string; account: string },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_approval (repository_id, path, account, at)
    values (${a.repositoryId}, ${a.path}, ${a.account}, ${now}) on conflict do nothing`,
  )

export const deleteApproval = (tx: Tx, repositoryId: number, path: string): Promise<number> =>
  affected(tx, sql`delete from software_approval where repository_id = ${repositoryId} and path = ${path}`)

export type ProposalKind = 'publish' | 'rollback' | 'tag' | 'untag'
export type ProposalState = 'proposed' | 'committed' | 'rejected' | 'cancelled' | 'expired'

/** What somebody would like to publish, and what became of that. */
export interface ProposalRow {
  readonly id: string
  readonly repositoryId: number
  readonly repository: string
  readonly vo: string
  readonly kind: ProposalKind
  readonly path: string
  readonly account: string
  readonly source: string
  /** The newest revision when it was begun. */
  readonly base: bigint
  readonly proposedAt: Date
  readonly expiresAt: Date
  readonly state: ProposalState
  readonly tag: string | null
  readonly description: string
  /** The revision that is put back, gets the tag or loses it, or that the changes were made to. */
  readonly ofRevision: bigint | null
  /** The tree as it would have been; null when no tree changes. */
  readonly rootHash: string | null
  readonly put: bigint
  readonly removed: bigint
  readonly files: bigint | null
  readonly bytes: bigint | null
  readonly decidedAt: Date | null
  readonly decidedBy: string | null
  readonly reason: string
  /** The revision that it became. */
  readonly revision: bigint | null
  /** The newest revision that changed the same since; it cannot be approved any more. */
  readonly overtakenBy: bigint | null
}

const columns = sql`p.id, p.repository_id as "repositoryId", r.name as repository, r.vo, p.kind, p.path, p.account, p.source,
  p.base, p.proposed_at as "proposedAt", p.expires_at as "expiresAt", p.state, p.tag, p.description,
  p.of_revision as "ofRevision", p.root_hash as "rootHash", p.put, p.removed, p.files, p.bytes,
  p.decided_at as "decidedAt", p.decided_by as "decidedBy", p.reason, p.revision,
  case when p.state = 'proposed' and p.kind in ('publish', 'rollback') then (
    select max(v.revision) from software_revision v where v.repository_id = p.repository_id and v.revision > p.base
      and (v.path = '' or p.path = '' or p.path = v.path or starts_with(p.path, v.path || '/') or starts_with(v.path, p.path || '/'))
  ) end as "overtakenBy"`
const from = sql`from software_publication p join software_repository r on r.id = p.repository_id`

/** The newest first; those that wait, unless `all`. */
export const proposalsOf = (
  db: Db,
  vo: string,
  { repository, all, limit }: { repository?: string | undefined; all: boolean; limit: number },
): Promise<ProposalRow[]> =>
  rows(
    db,
    sql<ProposalRow>`select ${columns} ${from}
    where r.vo = ${vo} and p.proposed_at is not null and (${all} or p.state = 'proposed')
      and (${repository ?? null}::text is null or r.name = ${repository ?? null})
    order by p.proposed_at desc, p.id limit ${limit}`,
  )

export const proposalOf = (db: Db, id: string): Promise<ProposalRow | undefined> =>
  row(db, sql<ProposalRow>`select ${columns} ${from} where p.id = ${id} and p.proposed_at is not null`)

/** An open publication becomes a proposal. */
export const sealPublication = (
  tx: Tx,
  now: Date,
  id: string,
  p: Pick<
    ProposalRow,
    'expiresAt' | 'tag' | 'description' | 'ofRevision' | 'rootHash' | 'put' | 'removed' | 'files' | 'bytes'
  >,
): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = 'proposed', proposed_at = ${now}, expires_at = ${p.expiresAt},
      tag = ${p.tag}, description = ${p.description}, of_revision = ${p.ofRevision}, root_hash = ${p.rootHash}, put = ${p.put}, removed = ${p.removed},
      files = ${p.files}, bytes = ${p.bytes}
    where id = ${id} and state = 'open'`,
  )

/** What needs no upload is proposed in one step. */
export const insertProposal = (
  tx: Tx,
  now: Date,
  p: Pick<
    ProposalRow,
    | 'id'
    | 'repositoryId'
    | 'kind'
    | 'account'
    | 'source'
    | 'base'
    | 'expiresAt'
    | 'tag'
    | 'description'
    | 'ofRevision'
    | 'rootHash'
    | 'files'
    | 'bytes'
  >,
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_publication (id, repository_id, kind, path, account, source, base, opened_at, proposed_at,
      expires_at, state, tag, description, of_revision, root_hash, files, bytes)
    values (${p.id}, ${p.repositoryId}, ${p.kind}, '', ${p.account}, ${p.source}, ${p.base}, ${now}, ${now}, ${p.expiresAt},
      'proposed', ${p.tag}, ${p.description}, ${p.ofRevision}, ${p.rootHash}, ${p.files}, ${p.bytes})`,
  )

/** Whoever proposes the same place again means the newer one only. */
export const replaceProposals = (
  tx: Tx,
  now: Date,
  p: Pick<ProposalRow, 'id' | 'repositoryId' | 'kind' | 'path' | 'account' | 'tag'>,
): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = 'cancelled', decided_at = ${now}, reason = ${`replaced by ${p.id}`}
    where repository_id = ${p.repositoryId} and state = 'proposed' and kind = ${p.kind} and path = ${p.path}
      and account = ${p.account} and id <> ${p.id} and (kind in ('publish', 'rollback') or tag = ${p.tag})`,
  )

/** Ends a proposal that waits; 0 when it does not any more. */
export const endProposal = (
  tx: Tx,
  now: Date,
  id: string,
  end: {
    state: 'committed' | 'rejected' | 'cancelled'
    by: string | null
    reason?: string
    revision?: bigint
  },
): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = ${end.state}, decided_at = ${now}, decided_by = ${end.by},
      reason = ${end.reason ?? ''}, revision = ${end.revision ?? null} where id = ${id} and state = 'proposed'`,
  )

/** Those whose time is over. */
export const dueProposals = (db: Db, now: Date): Promise<ProposalRow[]> =>
  rows(
    db,
    sql<ProposalRow>`select ${columns} ${from} where p.state = 'proposed' and p.expires_at <= ${now} order by r.id, p.id`,
  )

export const expireProposal = (tx: Tx, now: Date, id: string): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = 'expired', decided_at = ${now}
    where id = ${id} and state = 'proposed' and expires_at <= ${now}`,
  )

export const firstProposalEnd = async (db: Db): Promise<Date | null> =>
  (
    await row(
      db,
      sql<{
        at: Date | null
      }>`select min(expires_at) as at from software_publication where state = 'proposed'`,
    )
  )?.at ?? null

/** Somebody begins to approve; who began before and may still be at it counts. 0 when it does not wait any more. */
export const beginDeciding = (db: Db, now: Date, id: string, stale: Date): Promise<number> =>
  affected(
    db,
    sql`update software_publication
    set deciding_since = case when deciding_since > ${stale} then deciding_since else ${now} end
    where id = ${id} and state = 'proposed' and expires_at > ${now}`,
  )

/** Since when the first of those that are being approved is. */
export const decidingSince = async (db: Db, repositoryId: number, stale: Date): Promise<Date | null> =>
  (
    await row(
      db,
      sql<{ at: Date | null }>`select min(deciding_since) as at from software_publication
      where repository_id = ${repositoryId} and state = 'proposed' and deciding_since > ${stale}`,
    )
  )?.at ?? null

/** What proposals need of a repository: their trees, and the revisions that they are about. */
export const proposed = (
  db: Db,
  repositoryId: number,
): Promise<{ rootHash: string | null; ofRevision: bigint | null }[]> =>
  rows(
    db,
    sql<{
      rootHash: string | null
      ofRevision: bigint | null
    }>`select root_hash as "rootHash", of_revision as "ofRevision"
    from software_publication where repository_id = ${repositoryId} and state = 'proposed'`,
  )

/** Those of the publications that are at work or wait. */
export const unfinished = async (db: Db, ids: readonly string[]): Promise<string[]> =>
  (
    await rows(
      db,
      sql<{ id: string }>`select id::text from software_publication
      where id = any(${ids}::uuid[]) and state in ('open', 'proposed')`,
    )
  ).map(({ id }) => id)

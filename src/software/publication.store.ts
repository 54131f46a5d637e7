import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'

export interface PublicationRow {
  readonly id: string
  readonly repositoryId: number
  readonly repository: string
  readonly vo: string
  readonly path: string
  readonly account: string
  readonly source: string
  readonly base: bigint
  readonly openedAt: Date
  readonly expiresAt: Date
  readonly state: 'open' | 'proposed' | 'committed' | 'rejected' | 'cancelled' | 'expired'
  readonly revision: bigint | null
}
const columns = sql`p.id, p.repository_id as "repositoryId", r.name as repository, r.vo, p.path, p.account, p.source, p.base,
  p.opened_at as "openedAt", p.expires_at as "expiresAt", p.state, p.revision`

export const insertPublication = (
  tx: Tx,
  now: Date,
  p: Pick<PublicationRow, 'id' | 'repositoryId' | 'path' | 'account' | 'source' | 'base' | 'expiresAt'>,
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_publication (id, repository_id, path, account, source, base, opened_at, expires_at)
    values (${p.id}, ${p.repositoryId}, ${p.path}, ${p.account}, ${p.source}, ${p.base}, ${now}, ${p.expiresAt})`,
  )

export const publicationOf = (db: Db, id: string): Promise<PublicationRow | undefined> =>
  row(
    db,
    sql<PublicationRow>`select ${columns} from software_publication p join software_repository r on r.id = p.repository_id
    where p.id = ${id}`,
  )

export const openPublications = (db: Db, repositoryId: number): Promise<PublicationRow[]> =>
  rows(
    db,
    sql<PublicationRow>`select ${columns} from software_publication p join software_repository r on r.id = p.repository_id
    where p.repository_id = ${repositoryId} and p.state = 'open' order by p.opened_at`,
  )

/** Those whose time is over end. */
export const expirePublications = (tx: Db, now: Date): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = 'expired' where state = 'open' and expires_at <= ${now}`,
  )

/** Whoever works on it has it for longer. False when it is not open any more. */
export const extendPublication = (db: Db, id: string, now: Date, expiresAt: Date): Promise<number> =>
  affected(
    db,
    sql`update software_publication set expires_at = ${expiresAt} where id = ${id} and state = 'open' and expires_at > ${now}`,
  )

export const endPublication = (
  tx: Db,
  id: string,
  state: 'committed' | 'cancelled',
  revision: bigint | null,
): Promise<number> =>
  affected(
    tx,
    sql`update software_publication set state = ${state}, revision = ${revision} where id = ${id} and state = 'open'`,
  )

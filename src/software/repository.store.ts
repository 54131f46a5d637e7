import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'
import type { Algorithm } from './format/hash.ts'

export interface RepositoryRow {
  readonly id: number
  readonly vo: string
  readonly name: string
  readonly title: string
  readonly algorithm: Algorithm
  readonly ttlSeconds: number
  readonly masterPublicPem: string
  readonly masterKey: Buffer | null
  readonly revision: bigint
  readonly rootHash: string | null
  readonly rootSize: bigint
  readonly manifest: Buffer | null
  readonly publishedAt: Date | null
  readonly whitelist: Buffer | null
  readonly whitelistExpiresAt: Date | null
  readonly createdAt: Date
  /** Addresses of the original, if it is a mirror. */
  readonly mirrorOf: readonly string[] | null
}

const columns = sql`r.id, r.vo, r.name, r.title, r.algorithm, r.ttl_seconds as "ttlSeconds",
  r.master_public_pem as "masterPublicPem", r.master_key as "masterKey", r.revision, r.root_hash as "rootHash",
  r.root_size as "rootSize", r.manifest, r.published_at as "publishedAt", r.whitelist,
  r.whitelist_expires_at as "whitelistExpiresAt", r.created_at as "createdAt",
  (select m.urls from software_mirror m where m.repository_id = r.id) as "mirrorOf"`

export const insertRepository = (
  tx: Tx,
  now: Date,
  r: Pick<RepositoryRow, 'vo' | 'name' | 'title' | 'algorithm' | 'masterPublicPem' | 'masterKey'>,
): Promise<RepositoryRow | undefined> =>
  row(
    tx,
    sql<RepositoryRow>`insert into software_repository as r (vo, name, title, algorithm, master_public_pem, master_key, created_at)
    values (${r.vo}, ${r.name}, ${r.title}, ${r.algorithm}, ${r.masterPublicPem}, ${r.masterKey}, ${now})
    on conflict (name) do nothing returning ${columns}`,
  )

export const repositoriesOf = (db: Db, vo: string): Promise<RepositoryRow[]> =>
  rows(
    db,
    sql<RepositoryRow>`select ${columns} from software_repository r where r.vo = ${vo} order by r.name`,
  )

export const repositoryNamed = (db: Db, name: string): Promise<RepositoryRow | undefined> =>
  row(db, sql<RepositoryRow>`select ${columns} from software_repository r where r.name = ${name}`)

/** The row, locked until the end of the transaction: revisions are made and objects are dropped one after the other. */
export const lockRepository = (tx: Tx, id: number): Promise<RepositoryRow | undefined> =>
  row(tx, sql<RepositoryRow>`select ${columns} from software_repository r where r.id = ${id} for update`)

export const setManifest = (
  tx: Tx,
  now: Date,
  id: number,
  m: { revision: bigint; rootHash: string; rootSize: number; manifest: Buffer },
): Promise<number> =>
  affected(
    tx,
    sql`update software_repository set revision = ${m.revision}, root_hash = ${m.rootHash}, root_size = ${m.rootSize},
      manifest = ${m.manifest}, published_at = ${now} where id = ${id}`,
  )

export const setWhitelist = (
  tx: Tx,
  id: number,
  w: { whitelist: Buffer; expiresAt: Date },
): Promise<number> =>
  affected(
    tx,
    sql`update software_repository set whitelist = ${w.whitelist}, whitelist_expires_at = ${w.expiresAt} where id = ${id}`,
  )

/** Repositories whose whitelist ends before a date and whose master key is here. */
export const whitelistsDue = (db: Db, before: Date): Promise<RepositoryRow[]> =>
  rows(
    db,
    sql<RepositoryRow>`select ${columns} from software_repository r
    where r.master_key is not null and (r.whitelist_expires_at is null or r.whitelist_expires_at < ${before}) order by r.id`,
  )

export const firstWhitelistEnd = async (db: Db): Promise<Date | null> =>
  (
    await row(
      db,
      sql<{
        at: Date | null
      }>`select min(whitelist_expires_at) as at from software_repository where master_key is not null`,
    )
  )?.at ?? null

export interface KeyRow {
  readonly id: number
  readonly repositoryId: number
  readonly certificatePem: string
  readonly privateKey: Buffer
  readonly createdAt: Date
  readonly listedUntil: Date | null
}

/** The newest first: it signs. */
export const keysOf = (db: Db, repositoryId: number, now: Date): Promise<KeyRow[]> =>
  rows(
    db,
    sql<KeyRow>`select id, repository_id as "repositoryId", certificate_pem as "certificatePem",
      private_key as "privateKey", created_at as "createdAt", listed_until as "listedUntil"
    from software_key where repository_id = ${repositoryId} and (listed_until is null or listed_until > ${now})
    order by id desc`,
  )

export const insertKey = (
  tx: Tx,
  now: Date,
  k: { repositoryId: number; certificatePem: string; privateKey: Buffer },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_key (repository_id, certificate_pem, private_key, created_at)
    values (${k.repositoryId}, ${k.certificatePem}, ${k.privateKey}, ${now})`,
  )

/** All keys but the newest stay listed until a date. */
export const endOlderKeys = (tx: Tx, repositoryId: number, until: Date): Promise<number> =>
  affected(
    tx,
    sql`update software_key k set listed_until = ${until} where repository_id = ${repositoryId} and listed_until is null
      and id < (select max(id) from software_key where repository_id = ${repositoryId})`,
  )

export interface RevisionRow {
  readonly revision: bigint
  readonly rootHash: string
  readonly rootSize: bigint
  readonly kind: 'publish' | 'rollback' | 'mirror'
  readonly path: string
  readonly account: string
  readonly source: string
  readonly at: Date
  /** Entries written, new or changed. */
  readonly put: bigint
  readonly removed: bigint
  /** Of its tree; null: not counted. */
  readonly files: bigint | null
  readonly bytes: bigint | null
  /** Null: nobody had to. */
  readonly approvedBy: string | null
  readonly droppedAt: Date | null
}
const revisionColumns = sql`revision, root_hash as "rootHash", root_size as "rootSize", kind, path, account, source, at,
  put, removed, files, bytes, approved_by as "approvedBy", dropped_at as "droppedAt"`

export const insertRevision = (
  tx: Tx,
  repositoryId: number,
  r: Omit<RevisionRow, 'droppedAt' | 'rootSize'> & { rootSize: number },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_revision (repository_id, revision, root_hash, root_size, kind, path, account, source, at, put, removed, files, bytes, approved_by)
    values (${repositoryId}, ${r.revision}, ${r.rootHash}, ${r.rootSize}, ${r.kind}, ${r.path}, ${r.account},
      ${r.source}, ${r.at}, ${r.put}, ${r.removed}, ${r.files}, ${r.bytes}, ${r.approvedBy})`,
  )

export const revisionsOf = (db: Db, repositoryId: number, limit: number): Promise<RevisionRow[]> =>
  rows(
    db,
    sql<RevisionRow>`select ${revisionColumns} from software_revision where repository_id = ${repositoryId}
    order by revision desc limit ${limit}`,
  )

/** Revisions whose trees are still whole. */
export const keptRevisions = (db: Db, repositoryId: number): Promise<RevisionRow[]> =>
  rows(
    db,
    sql<RevisionRow>`select ${revisionColumns} from software_revision
    where repository_id = ${repositoryId} and dropped_at is null order by revision`,
  )

/** The newest revision that changed something below or above a path; 0 when none did, and then nothing is there. */
export const lastTouched = async (db: Db, repositoryId: number, path: string): Promise<bigint> =>
  (
    await row(
      db,
      sql<{
        revision: bigint | null
      }>`select max(revision) as revision from software_revision where repository_id = ${repositoryId}
      -- The first one has nothing in it.
      and (kind = 'rollback' or put > 0 or removed > 0)
      and (path = '' or ${path} = '' or path = ${path} or starts_with(path, ${`${path}/`}) or starts_with(${path}, path || '/'))`,
    )
  )?.revision ?? 0n

export const dropRevisions = (
  tx: Tx,
  now: Date,
  repositoryId: number,
  revisions: readonly bigint[],
): Promise<number> =>
  affected(
    tx,
    sql`update software_revision set dropped_at = ${now}
    where repository_id = ${repositoryId} and revision = any(${revisions}::bigint[]) and dropped_at is null`,
  )

export interface TagRow {
  readonly name: string
  readonly revision: bigint
  readonly rootHash: string
  readonly rootSize: bigint
  readonly description: string
  readonly account: string
  readonly at: Date
}

export const tagsOf = (db: Db, repositoryId: number): Promise<TagRow[]> =>
  rows(
    db,
    sql<TagRow>`select t.name, t.revision, v.root_hash as "rootHash", v.root_size as "rootSize", t.description, t.account, t.at
    from software_tag t join software_revision v using (repository_id, revision)
    where t.repository_id = ${repositoryId} order by t.revision, t.name`,
  )

export const insertTag = (
  tx: Tx,
  now: Date,
  repositoryId: number,
  t: { name: string; revision: bigint; description: string; account: string },
): Promise<number> =>
  affected(
    tx,
    sql`insert into software_tag (repository_id, name, revision, description, account, at)
    values (${repositoryId}, ${t.name}, ${t.revision}, ${t.description}, ${t.account}, ${now})
    on conflict (repository_id, name) do nothing`,
  )

export const deleteTag = (tx: Tx, repositoryId: number, name: string): Promise<number> =>
  affected(tx, sql`delete from software_tag where repository_id = ${repositoryId} and name = ${name}`)

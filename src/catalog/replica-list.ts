import type { Db } from '../kernel/index.ts'
import { chunks, didText } from './codes.ts'
import { selectDatasets } from './content.store.ts'
import { findDids, resolveDids } from './did.ts'
import { computePath } from './pfn.ts'
import * as store from './replica-list.store.ts'
import type { DatasetReplica, Did, FileReplicas, KnownDid, Replica, Rse } from './types.ts'

export interface ReplicaQuery {
  readonly vo: string
  readonly dids: readonly Did[]
  readonly rseIds?: readonly number[]
  /** Default: only AVAILABLE. */
  readonly allStates?: boolean
  /** Copies verified, or files registered, since then; files without any such copy are left out. */
  readonly updatedAfter?: Date
  readonly parents?: boolean
}
export interface ListedFile extends FileReplicas {
  /** Datasets asked for that hold it (`parents`). */
  readonly parents: readonly Did[]
}

/** Small, so that the first byte is quick. */
const FIRST_PAGE = 100
const PAGE = 1000

/**
 * Files of names (collections expanded, each file once) with their copies, in chunks; a file without copies comes too.
 * Throws did_not_found.
 */
export async function* listReplicas(db: Db, input: ReplicaQuery): AsyncGenerator<ListedFile[]> {
  const dids = await resolveDids(db, input)
  const single = new Set(dids.filter((did) => did.kind === 'FILE').map((did) => did.id))
  const collections = dids.filter((did) => did.kind !== 'FILE').map((did) => did.id)
  const datasets = collections.length > 0 ? (await selectDatasets(db, collections)).map(({ id }) => id) : []

  const named = [...single]
  const pages = [named.slice(0, FIRST_PAGE), ...chunks(named.slice(FIRST_PAGE), PAGE)]
  for (const page of pages) {
    const files = await withCopies(db, page, datasets, input)
    if (files.length > 0) yield files
  }
  if (datasets.length === 0) return
  let after: store.Member | undefined
  for (let limit = named.length > 0 ? PAGE : FIRST_PAGE; ; limit = PAGE) {
    const { fileIds, last } = await store.readByKeys(db, (tx) =>
      store.selectMembers(tx, datasets, after, limit),
    )
    const ids = fileIds.filter((id) => !single.has(id))
    const files = await withCopies(db, ids, datasets, input)
    if (files.length > 0) yield files
    if (!last) return
    after = last
  }
}

async function withCopies(
  db: Db,
  ids: readonly bigint[],
  datasets: readonly bigint[],
  query: ReplicaQuery,
): Promise<ListedFile[]> {
  if (ids.length === 0) return []
  const { files, copies, parents } = await store.readByKeys(db, async (tx) => ({
    files: await store.selectListedFiles(tx, ids),
    copies: await store.selectCopies(tx, ids, query),
    parents: query.parents && datasets.length > 0 ? await store.selectParentsAmong(tx, ids, datasets) : [],
  }))
  const copiesOf = group<Replica, Omit<Replica, 'fileId'>>(copies, ({ fileId: _, ...copy }) => copy)
  const parentsOf = group<Did & { fileId: bigint }, Did>(parents, ({ fileId: _, ...did }) => did)
  const listed = files.map((file) => ({
    ...file,
    replicas: copiesOf.get(file.fileId) ?? [],
    parents: parentsOf.get(file.fileId) ?? [],
  }))
  return query.updatedAfter ? listed.filter((file) => file.replicas.length > 0) : listed
}

function group<T extends { readonly fileId: bigint }, R>(
  items: readonly T[],
  strip: (item: T) => R,
): Map<bigint, R[]> {
  const groups = new Map<bigint, R[]>()
  for (const item of items) {
    const known = groups.get(item.fileId)
    if (known) known.push(strip(item))
    else groups.set(item.fileId, [strip(item)])
  }
  return groups
}

/** Completeness per RSE of datasets (containers expanded when `deep`, left out otherwise). Throws did_not_found. */
export async function datasetReplicas(
  db: Db,
  input: { vo: string; dids: readonly Did[]; deep?: boolean },
): Promise<DatasetReplica[]> {
  const dids = await resolveDids(db, input)
  const wanted = dids.filter((did) => did.kind === 'DATASET' || (input.deep && did.kind === 'CONTAINER'))
  const ids = wanted.map((did) => did.id)
  const datasets = input.deep ? (await selectDatasets(db, ids)).map(({ id }) => id) : ids
  return datasetReplicasByIds(db, datasets)
}

export async function datasetReplicasByIds(
  db: Db,
  collectionIds: readonly bigint[],
): Promise<DatasetReplica[]> {
  return collectionIds.length === 0 ? [] : store.selectDatasetReplicas(db, collectionIds)
}

/** Datasets with at least one available file at an RSE. */
export async function datasetsAtRse(db: Db, rseId: number): Promise<DatasetReplica[]> {
  const found: DatasetReplica[] = []
  for (const chunk of chunks(await store.selectDatasetsAtRse(db, rseId), 1000)) {
    const counted = await store.selectDatasetReplicas(
      db,
      chunk.map(({ id }) => id),
    )
    for (const dataset of counted) if (dataset.rseId === rseId) found.push(dataset)
  }
  return found
}

/** Names behind paths (below the prefix) at an RSE, computed or stored; undefined where there is none. */
export async function didsOfPaths(
  db: Db,
  input: { vo: string; rse: Rse; paths: readonly string[] },
): Promise<(KnownDid | undefined)[]> {
  const paths = input.paths.map((path) => path.replace(/^\/+/, ''))
  if (!input.rse.deterministic) {
    const stored = await store.selectByPath(db, input.rse.id, paths)
    const byPath = new Map(stored.map(({ path, ...did }) => [path, { ...did, kind: 'FILE' as const }]))
    return paths.map((path) => byPath.get(path))
  }
  const candidates = paths.map((path) => didsThatLieAt(input.rse, path))
  const found = await findDids(db, { vo: input.vo, dids: candidates.flat() })
  const files = new Map(found.flatMap((did) => (did?.kind === 'FILE' ? [[didText(did), did] as const] : [])))
  return candidates.map((dids) => dids.map((did) => files.get(didText(did))).find((did) => did))
}

/** Names whose computed path is this one: a scope may be several segments, a name too, so every parting is tried. */
export function didsThatLieAt(rse: Pick<Rse, 'attributes'>, path: string): Did[] {
  const segments = path.split('/')
  const between = rse.attributes.lfn2pfn_algorithm === 'identity' ? 0 : 2
  const dids: Did[] = []
  for (let length = 1; length + between < segments.length; length++) {
    const did = {
      scope: segments.slice(0, length).join('.'),
      name: segments.slice(length + between).join('/'),
    }
    if (computePath(rse, did) === path) dids.push(did)
  }
  return dids
}

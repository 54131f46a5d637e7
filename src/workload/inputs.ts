import {
  addCollections,
  availableCopies,
  type Did,
  type FileOfCollection,
  findDids,
  listFiles,
  listReplicas,
  type Rse,
  type RseTable,
} from '../catalog/index.ts'
import type { Db, Tx } from '../kernel/index.ts'
import { invalidJob } from './errors.ts'
import { type Address, type AddressDeps, addressOf } from './outputs.ts'
import type { InputFile } from './split.ts'

/** Read in one request; larger inputs are split by submitting their datasets one by one. */
const MOST_INPUTS = 200_000

/** Files of names (datasets and containers expanded, each file once) with the sites that hold them on disk. */
export async function inputFiles(
  db: Db,
  input: { vo: string; dids: readonly Did[]; rses: RseTable },
): Promise<InputFile[]> {
  const files = new Map<bigint, FileOfCollection>()
  for await (const page of listFiles(db, input)) {
    for (const file of page) files.set(file.id, file)
    if (files.size > MOST_INPUTS) throw invalidJob(`At most ${MOST_INPUTS} input files can be given at once.`)
  }
  const sites = await sitesOfFiles(db, input.vo, input.rses, [...files.keys()])
  return [...files.values()].map(({ id, scope, name }) => ({ scope, name, sites: sites.get(id) ?? [] }))
}

/** Sites with an available copy on disk, by file. */
export async function sitesOfFiles(
  db: Db,
  vo: string,
  rses: RseTable,
  fileIds: readonly bigint[],
): Promise<Map<bigint, string[]>> {
  const siteOf = new Map(
    (await rses.all(vo))
      .filter((rse) => rse.kind === 'DISK' && rse.canRead && typeof rse.attributes.site === 'string')
      .map((rse) => [rse.id, String(rse.attributes.site)]),
  )
  const found = new Map<bigint, string[]>()
  for (const { fileId, rseId } of await availableCopies(db, fileIds)) {
    const site = siteOf.get(rseId)
    const known = found.get(fileId) ?? []
    if (site !== undefined && !known.includes(site)) found.set(fileId, [...known, site])
  }
  return found
}

/** Sites that hold all files of each list; null where a file does not exist (any more). */
export async function sitesOfInputs(
  db: Db,
  vo: string,
  rses: RseTable,
  lists: readonly (readonly Did[])[],
): Promise<(string[] | null)[]> {
  const dids = lists.flat()
  const known = await findDids(db, { vo, dids })
  const ids = [...new Set(known.flatMap((did) => (did ? [did.id] : [])))]
  const sites = await sitesOfFiles(db, vo, rses, ids)
  let next = 0
  return lists.map((list) => {
    let common: string[] | null | undefined
    for (const _ of list) {
      const did = known[next++]
      const here = did ? (sites.get(did.id) ?? []) : null
      if (here === null || common === null) common = null
      else common = common === undefined ? here : common.filter((site) => here.includes(site))
    }
    return common === null ? null : (common ?? []).sort()
  })
}

export interface InputAddress extends Did {
  readonly bytes: bigint
  readonly adler32: string | null
  readonly md5: string | null
  /** Nearest first. */
  readonly places: readonly Address[]
}

/** Where a site may read files, copies of its own first; each with a token for that file alone. */
export async function inputAddresses(
  deps: AddressDeps,
  input: { vo: string; site: string; dids: readonly Did[] },
): Promise<InputAddress[]> {
  const { vo, site, dids } = input
  const all = new Map((await deps.rses.all(vo)).map((rse) => [rse.id, rse]))
  const found: InputAddress[] = []
  for await (const page of listReplicas(deps.db, { vo, dids })) {
    for (const { scope, name, bytes, adler32, md5, replicas } of page) {
      const copies = replicas
        .flatMap(({ rseId, path }) => {
          const rse = all.get(rseId)
          return rse?.canRead && rse.kind === 'DISK' ? [{ rse, path }] : []
        })
        .sort((a, b) => far(a.rse, site) - far(b.rse, site) || (a.rse.name < b.rse.name ? -1 : 1))
      const places = await Promise.all(
        copies.map(({ rse, path }) => addressOf(deps, rse, { scope, name }, 'read', path)),
      )
      found.push({ scope, name, bytes, adler32, md5, places: places.filter((place) => place !== undefined) })
    }
  }
  return found
}

const far = (rse: Rse, site: string): number => (rse.attributes.site === site ? 0 : 1)

/** Makes the datasets that outputs go to, where they are new. Throws unsupported_operation when a name is a file. */
export async function ensureDatasets(
  tx: Tx,
  input: { vo: string; now: Date; accountId: number; datasets: readonly Did[] },
): Promise<void> {
  const { vo, now, accountId, datasets } = input
  const distinct = [...new Map(datasets.map((did) => [`${did.scope}:${did.name}`, did])).values()]
  if (distinct.length === 0) return
  const known = await findDids(tx, { vo, dids: distinct })
  const wrong = known.find((did) => did && did.kind !== 'DATASET')
  if (wrong) throw invalidJob(`${wrong.scope}:${wrong.name} is no dataset; outputs go to datasets.`)
  const collections = distinct
    .filter((_, i) => !known[i])
    .map(({ scope, name }) => ({ scope, name, kind: 'DATASET' as const }))
  if (collections.length > 0) await addCollections(tx, { vo, now, accountId, collections })
}

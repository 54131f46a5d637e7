import {
  availableCopies,
  type Did,
  type FileOfCollection,
  findDids,
  listFiles,
  type RseTable,
} from '../catalog/index.ts'
import type { Db } from '../kernel/index.ts'
import { invalidJob } from './errors.ts'
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

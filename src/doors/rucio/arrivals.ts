import {
  catalogErrors,
  type Did,
  findDids,
  getDidsByIds,
  type NewReplica,
  pathOfPfn,
  type Rse,
} from '../../catalog/index.ts'
import { type FileBody, newReplica } from './bodies.ts'
import type { Call } from './endpoint.ts'
import { badRequest } from './errors.ts'

/** Copies to register at an RSE; paths are read from PFNs where the RSE does not compute them. */
export function newCopies(rse: Rse, files: readonly FileBody[]): NewReplica[] {
  return files.map((file) => ({ ...newReplica(file), ...pathOf(rse, file.pfn) }))
}

export function pathOf(rse: Rse, pfn: string | null | undefined): { path?: string } {
  if (!pfn || rse.deterministic) return {}
  const path = pathOfPfn(rse, pfn)
  if (path === null) throw badRequest(`${pfn.slice(0, 200)} is below no protocol of ${rse.name}.`)
  return { path }
}

/**
 * At an RSE with attribute `verify_arrival` copies become AVAILABLE only when they are there with the size and
 * checksums the catalogue has, or, for new files, will have. Asked before the transaction: storages may be slow.
 */
export async function verifyArrivals(
  call: Call,
  rse: Rse,
  files: readonly (Did & Partial<Omit<NewReplica, 'state'>>)[],
): Promise<void> {
  const { vo, now, deps } = call
  const wanted = rse.attributes.verify_arrival
  if (files.length === 0 || wanted === undefined || wanted === false) return
  const ids = (await findDids(deps.db, { vo, dids: files })).map((did) => did?.id)
  const known = new Map(
    (
      await getDidsByIds(
        deps.db,
        ids.filter((id) => id !== undefined),
      )
    ).map((did) => [did.id, did]),
  )
  const arrived = files.map(({ scope, name, bytes, adler32, md5, path }, index) => {
    const id = ids[index]
    const did = id === undefined ? undefined : known.get(id)
    const file = did?.kind === 'FILE' ? did : undefined
    const size = file?.bytes ?? bytes
    if (size === undefined) throw catalogErrors.didNotFound(`${scope}:${name} does not exist.`)
    return {
      ...{ scope, name, bytes: size, path: path ?? null },
      adler32: file?.adler32 ?? adler32 ?? null,
      md5: file?.md5 ?? md5 ?? null,
    }
  })
  await deps.verifyArrivals({ vo, now, rse, files: arrived })
}

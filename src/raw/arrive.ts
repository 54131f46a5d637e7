import { addReplicas, attach, markVerified, type Rse } from '../catalog/index.ts'
import { isGridError, publish, transaction } from '../kernel/index.ts'
import { type FileFacts, sameFile } from '../transfer/index.ts'
import type { RawDeps } from './deps.ts'
import * as store from './file.store.ts'

const AT_ONCE = 16
const BATCH = 500

/**
 * Looks for declared files at their landing storages. What is there with the size and checksum of the detector's disk is
 * registered with what is known of it, in the dataset of its run; what differs says so until it is sent again. Returns
 * how many files were looked at.
 */
export async function lookForArrivals(deps: RawDeps, now: Date): Promise<number> {
  const { db, rses, log } = deps
  const expected = await store.takeExpected(db, now, BATCH)
  const good: store.Expected[] = []
  const silent = new Set<string>()
  const queue = expected.values()
  const look = async (): Promise<void> => {
    for (const file of queue) {
      if (silent.has(file.landing)) continue
      const { vo, scope, name } = file
      try {
        const rse = await rses.byName(vo, file.landing)
        const found = await deps.stat({ vo, rse, did: { scope, name }, path: null })
        if (!found) continue
        if (sameFile(file, found)) good.push(file)
        else await store.noteLanded(db, now, file.id, differenceOf(file, found))
      } catch (error) {
        // The others there are asked about next time.
        silent.add(file.landing)
        log.warn({ err: error, rse: file.landing }, 'the landing storage of raw data does not answer')
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  const runs = new Map<bigint, store.Expected[]>()
  for (const file of good) runs.set(file.runId, [...(runs.get(file.runId) ?? []), file])
  for (const files of runs.values()) {
    const rse = await rses.byName(files[0]!.vo, files[0]!.landing)
    try {
      await register(deps, now, rse, files)
    } catch (error) {
      if (!isGridError(error) || error.kind === 'transient') throw error
      for (const file of files) await registerAlone(deps, now, rse, file)
    }
  }
  return expected.length
}

/** One that the catalogue refuses does not keep the others of its run from it. */
async function registerAlone(deps: RawDeps, now: Date, rse: Rse, file: store.Expected): Promise<void> {
  try {
    await register(deps, now, rse, [file])
  } catch (error) {
    if (!isGridError(error) || error.kind === 'transient') throw error
    await store.noteLanded(deps.db, now, file.id, `the catalogue does not take it: ${error.message}`)
  }
}

async function register(
  { db }: RawDeps,
  now: Date,
  rse: Rse,
  files: readonly store.Expected[],
): Promise<void> {
  const { vo, accountId, scope, dataset, experiment, run } = files[0]!
  await transaction(db, async (tx) => {
    const open = new Set(
      (
        await store.lockUnregistered(
          tx,
          files.map(({ id }) => id),
        )
      ).map(({ id }) => id),
    )
    const fresh = files.filter(({ id }) => open.has(id))
    if (fresh.length === 0) return
    const added = await addReplicas(tx, {
      ...{ vo, now, accountId, rseId: rse.id, ignoreDuplicate: true },
      files: fresh.map(({ name, bytes, adler32, md5, stream, events }) => ({
        ...{ scope, name, bytes, adler32, md5 },
        meta: {
          ...{ level: 'raw', dataType: 'Data', experiment, run, run_number: run },
          ...{ stream, stream_name: stream, events },
        },
      })),
    })
    const replicas = added.map(({ fileId }) => ({ fileId, rseId: rse.id }))
    await markVerified(tx, { now, replicas })
    const dids = fresh.map(({ name }) => ({ scope, name }))
    await attach(tx, {
      ...{ vo, now, accountId, ignoreDuplicate: true },
      attachments: [{ scope, name: dataset, dids }],
    })
    const registered = fresh.map(({ id }, i) => ({ id, fileId: added[i]!.fileId }))
    await store.noteRegistered(tx, now, now, registered)
    const payload = { files: fresh.length }
    await publish(tx, now, [{ vo, kind: 'raw.registered', subject: `${experiment}/${run}`, payload }])
  })
}

function differenceOf(want: store.Expected, found: FileFacts): string {
  if (found.bytes !== want.bytes) return `${found.bytes} bytes have landed instead of ${want.bytes}`
  if (found.adler32 !== null && found.adler32 !== want.adler32)
    return `it landed with adler32 ${found.adler32} instead of ${want.adler32}; send it again`
  return found.md5 === null
    ? 'the landing storage tells no checksum of it'
    : `it landed with md5 ${found.md5} instead of ${want.md5}; send it again`
}

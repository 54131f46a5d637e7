import type { Did, Rse } from '../catalog/index.ts'
import { type Db, isGridError } from '../kernel/index.ts'
import type { FarRootFile, RootCounter } from '../storage/index.ts'
import type { Inspect, SeenInside } from '../workload/index.ts'
import { stepOfJob } from './output.store.ts'
import type { Step } from './types.ts'

export interface InspectDeps {
  readonly db: Db
  readonly counter: Pick<RootCounter, 'entries'>
  /** Reads a file at its storage. */
  readonly open: (rse: Rse, did: Did) => Promise<FarRootFile['read']>
}

/** Whether events are counted in the file that a step makes. */
export const isCounted = ({ tree = '', output }: Pick<Step, 'tree' | 'output'>): boolean =>
  tree !== 'no' && (tree !== '' || output.endsWith('.root'))

/**
 * Counts the events of outputs in the files themselves, by ranges read from the storage where they are now: after the
 * upload, and by the server. The program that made a file has no hand in it, nor has the worker node. A pilot could count
 * on its node with less traffic, but what reads every compression of ROOT is 26 MB, a third of what is shipped
 * to a cluster, and would still be where programs of users run.
 */
export function outputInspection({ db, counter, open }: InspectDeps): Inspect {
  return async ({ jobId, files }) => {
    const seen = new Map<string, SeenInside>()
    const step = files.length > 0 ? await stepOfJob(db, jobId) : undefined
    if (!step || !isCounted(step)) return seen
    for (const { file, rse } of files) {
      const { scope, name, bytes } = file
      const read = await open(rse, { scope, name })
      try {
        const entries = await counter.entries({ bytes: Number(bytes), read }, step.tree || null)
        seen.set(`${scope}:${name}`, { entries })
      } catch (error) {
        if (!isGridError(error, 'root_not_counted')) throw error
        seen.set(`${scope}:${name}`, { problem: error.message })
      }
    }
    return seen
  }
}

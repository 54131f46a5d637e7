import { transaction } from '../kernel/index.ts'
import type { RawDeps } from './deps.ts'
import { flowMissing, invalidFlow } from './errors.ts'
import * as store from './run.store.ts'
import type { Flow, NewFlow } from './types.ts'

/**
 * Says where raw data goes. A flow that could never release a file is refused: the archive must be tape-class storages,
 * and no centre may share a site with one of them. Runs that were declared before keep their rules. Throws
 * invalid_raw_flow, rse_not_found, no_rse_matches.
 */
export async function defineFlow(
  { db, rses }: Pick<RawDeps, 'db' | 'rses'>,
  input: { vo: string; now: Date; accountId: number; account: string; flow: NewFlow },
): Promise<void> {
  const { vo, now, flow } = input
  const landing = await rses.byName(vo, flow.landing)
  if (!landing.deterministic)
    throw invalidFlow(`${landing.name} is not deterministic: nobody would know where a file lands there.`)
  const archive = await rses.match(vo, flow.archive)
  const disk = archive.find(({ kind }) => kind !== 'TAPE')
  if (disk) throw invalidFlow(`The archive is to be on tape, but "${flow.archive}" matches ${disk.name}.`)
  const siteOf = (rse: (typeof archive)[number]) => String(rse.attributes.site ?? `rse ${rse.name}`)
  const archived = new Set(archive.map(siteOf))
  if (flow.centres.length === 0) throw invalidFlow('Name at least one centre for second copies.')
  if (new Set(flow.centres.map(({ storages }) => storages)).size < flow.centres.length)
    throw invalidFlow('A centre is named twice.')
  for (const { storages } of flow.centres) {
    const same = (await rses.match(vo, storages)).find((rse) => archived.has(siteOf(rse)))
    if (same)
      throw invalidFlow(
        `Second copies must lie at another site than the archive, but "${storages}" matches ${same.name} at ${siteOf(same)}.`,
      )
  }
  await transaction(db, (tx) => store.putFlow(tx, now, { ...input, flow }))
}

/** The flow of a name; without a name the only one. Throws raw_flow_not_found. */
export async function flowNamed(db: RawDeps['db'], vo: string, name: string | null): Promise<Flow> {
  const flows = await store.flowsOf(db, vo)
  const found = name === null && flows.length === 1 ? flows[0] : flows.find((flow) => flow.name === name)
  if (found) return found
  if (name !== null) throw flowMissing(`There is no flow of raw data "${name}".`)
  throw flowMissing(
    flows.length === 0
      ? 'There is no flow of raw data yet; an administrator defines one.'
      : `Say which flow: ${flows.map((flow) => flow.name).join(', ')}.`,
  )
}

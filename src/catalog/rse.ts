import { type Db, publish, type Tx, transaction, wake } from '../kernel/index.ts'
import {
  attributeNotFound,
  distanceNotFound,
  invalidInput,
  invalidName,
  limitNotFound,
  protocolExists,
  protocolNotFound,
  rseExists,
  rseNotEmpty,
  rseNotFound,
} from './errors.ts'
import * as store from './rse.store.ts'
import type { AttributeValue, Rse, RseDistance, RseProperties, RseProtocol, RseUsage } from './types.ts'

const NAME = /^[A-Z0-9]+([_-][A-Z0-9]+)*$/

/** All living RSEs of a VO, read from the database. Most callers want an RseTable. */
export async function readRses(db: Db, input: { vo: string }): Promise<Rse[]> {
  return store.selectRses(db, input)
}

/** One RSE by name. Throws rse_not_found. */
export async function getRse(db: Db, input: { vo: string; name: string }): Promise<Rse> {
  const [found] = await store.selectRses(db, input)
  if (!found) throw rseNotFound(`There is no RSE "${input.name}".`)
  return found
}

interface Named {
  readonly vo: string
  readonly now: Date
  readonly rse: string
}

/** One change of one RSE: looked up, changed, told to every process. */
async function change<T>(
  db: Db,
  { vo, now, rse }: Named,
  work: (tx: Tx, rse: Rse) => Promise<T>,
): Promise<T> {
  return transaction(db, async (tx) => {
    const result = await work(tx, await getRse(tx, { vo, name: rse }))
    await tell(tx, vo, now, rse)
    return result
  })
}

async function tell(tx: Tx, vo: string, now: Date, rse: string): Promise<void> {
  await publish(tx, now, [{ vo, kind: 'catalog.rse_changed', subject: rse }])
  await wake(tx, 'catalog.rse')
}

/** Throws rse_exists, invalid_name. */
export async function addRse(
  db: Db,
  input: { vo: string; now: Date; uuid: string; name: string; properties?: Partial<RseProperties> },
): Promise<Rse> {
  checkName(input.name)
  return transaction(db, async (tx) => {
    const id = await store.insertRse(tx, { ...input, properties: input.properties ?? {} })
    if (id === undefined) throw rseExists(`RSE "${input.name}" exists already.`)
    await tell(tx, input.vo, input.now, input.name)
    return getRse(tx, input)
  })
}

function checkName(name: string): void {
  if (!NAME.test(name) || name.length > 100) {
    throw invalidName(
      `"${name.slice(0, 60)}" is no RSE name: use capitals and digits, parted by single "-" or "_".`,
    )
  }
}

/** Throws rse_not_found, rse_exists when renamed to a name in use. */
export async function updateRse(
  db: Db,
  input: { vo: string; now: Date; name: string; properties: Partial<RseProperties>; newName?: string },
): Promise<Rse> {
  const { newName } = input
  if (newName !== undefined) checkName(newName)
  return change(db, { ...input, rse: input.name }, async (tx, rse) => {
    if (
      newName &&
      newName !== rse.name &&
      (await store.selectRses(tx, { vo: input.vo, name: newName })).length > 0
    ) {
      throw rseExists(`RSE "${newName}" exists already.`)
    }
    await store.updateRseRow(tx, rse.id, input.now, input.properties, newName)
    return getRse(tx, { vo: input.vo, name: newName ?? rse.name })
  })
}

/** Throws rse_not_empty while it holds replicas. */
export async function deleteRse(db: Db, input: { vo: string; now: Date; name: string }): Promise<void> {
  await change(db, { ...input, rse: input.name }, async (tx, rse) => {
    if ((await store.markRseDeleted(tx, rse.id, input.now)) === 0) {
      throw rseNotEmpty(
        `RSE "${rse.name}" still holds copies; remove their rules and let them be deleted first.`,
      )
    }
  })
}

export async function setRseAttribute(
  db: Db,
  input: Named & { key: string; value: AttributeValue },
): Promise<void> {
  if (!/^[A-Za-z0-9_.-]{1,100}$/.test(input.key)) {
    throw invalidInput(
      `"${input.key.slice(0, 60)}" is no attribute key: use letters, digits, "_", "." and "-".`,
    )
  }
  await change(db, input, (tx, rse) => store.upsertAttribute(tx, rse.id, input.key, input.value))
}

/** Throws rse_attribute_not_found. */
export async function deleteRseAttribute(db: Db, input: Named & { key: string }): Promise<void> {
  await change(db, input, async (tx, rse) => {
    if ((await store.removeAttribute(tx, rse.id, input.key)) === 0) {
      throw attributeNotFound(`RSE "${rse.name}" has no attribute "${input.key}".`)
    }
  })
}

/** Throws rse_protocol_exists. */
export async function addRseProtocol(db: Db, input: Named & { protocol: RseProtocol }): Promise<void> {
  const { protocol } = input
  checkProtocol(protocol)
  await change(db, input, async (tx, rse) => {
    if ((await store.insertProtocol(tx, rse.id, protocol)) === 0) {
      throw protocolExists(
        `RSE "${rse.name}" has ${protocol.scheme}://${protocol.hostname}:${protocol.port} already.`,
      )
    }
  })
}

function checkProtocol(protocol: RseProtocol): void {
  if (!/^[a-z][a-z0-9+.-]*$/.test(protocol.scheme))
    throw invalidInput(`"${protocol.scheme}" is no URL scheme.`)
  if (!(protocol.port >= 0 && protocol.port <= 65_535))
    throw invalidInput(`${protocol.port} is no port number.`)
  for (const priority of [...Object.values(protocol.domains.lan), ...Object.values(protocol.domains.wan)]) {
    if (priority !== null && !(Number.isInteger(priority) && priority >= 0)) {
      throw invalidInput('Priorities of a protocol are whole numbers from 1 (best), or null for "not used".')
    }
  }
}

/** Which protocols are meant: all of a scheme, or one by host and port. */
export interface ProtocolChoice {
  readonly scheme: string
  readonly hostname?: string
  readonly port?: number
}

function chosen(rse: Rse, choice: ProtocolChoice): RseProtocol[] {
  const found = rse.protocols.filter(
    (p) =>
      p.scheme === choice.scheme &&
      (choice.hostname === undefined || p.hostname === choice.hostname) &&
      (choice.port === undefined || p.port === choice.port),
  )
  if (found.length === 0) throw protocolNotFound(`RSE "${rse.name}" has no such protocol "${choice.scheme}".`)
  return found
}

export async function updateRseProtocols(
  db: Db,
  input: Named & { choice: ProtocolChoice; changes: Partial<RseProtocol> },
): Promise<void> {
  await change(db, input, async (tx, rse) => {
    for (const old of chosen(rse, input.choice)) {
      const next = { ...old, ...input.changes }
      checkProtocol(next)
      await store.removeProtocol(tx, rse.id, old)
      if ((await store.insertProtocol(tx, rse.id, next)) === 0) {
        throw protocolExists(`RSE "${rse.name}" has ${next.scheme}://${next.hostname}:${next.port} already.`)
      }
    }
  })
}

export async function deleteRseProtocols(db: Db, input: Named & { choice: ProtocolChoice }): Promise<void> {
  await change(db, input, async (tx, rse) => {
    for (const protocol of chosen(rse, input.choice)) await store.removeProtocol(tx, rse.id, protocol)
  })
}

export async function setRseLimit(db: Db, input: Named & { name: string; value: bigint }): Promise<void> {
  await change(db, input, (tx, rse) => store.upsertLimit(tx, rse.id, input.name, input.value))
}

export async function deleteRseLimit(db: Db, input: Named & { name: string }): Promise<void> {
  await change(db, input, async (tx, rse) => {
    if ((await store.removeLimit(tx, rse.id, input.name)) === 0) {
      throw limitNotFound(`RSE "${rse.name}" has no limit "${input.name}".`)
    }
  })
}

/** Usage per source; source `rucio` is exact (base + pending changes). */
export async function readRseUsage(
  db: Db,
  input: { rseIds?: readonly number[]; now: Date },
): Promise<RseUsage[]> {
  return store.selectUsage(db, input)
}

/** Stores usage somebody measured (source other than `rucio`). */
export async function setRseUsage(
  db: Db,
  input: Named & { source: string; used: bigint; free?: bigint | null; files?: bigint | null },
): Promise<void> {
  if (input.source === 'rucio') throw invalidInput('Usage of source "rucio" is counted, not set.')
  const rse = await getRse(db, { vo: input.vo, name: input.rse })
  const { source, used, free = null, files = null } = input
  await store.upsertUsage(db, { rseId: rse.id, source, used, free, files, updatedAt: input.now })
}

/** The failure domain of a storage; one without a site is its own. */
export function siteOf(rse: Rse): string {
  return String(rse.attributes.site ?? rse.name)
}

/** An area of a site's storage as its gateway reports it, in bytes; what is not used in it is free. */
export interface StorageArea {
  /** Begins with `/`. */
  readonly path: string
  readonly totalBytes: number
  readonly usedBytes: number
  readonly files: number
}

/** Notes for the RSEs of a site how full the areas are that they lie in: usage of source `storage`. */
export async function noteAreas(
  db: Db,
  input: { now: Date; rses: readonly Rse[]; site: string; areas: readonly StorageArea[] },
): Promise<void> {
  const { now, rses, site, areas } = input
  for (const { id, protocols } of rses.filter((rse) => siteOf(rse) === site)) {
    const area = areas.find(({ path }) => protocols.some((p) => p.prefix.startsWith(`${path}/`)))
    if (!area) continue
    const used = BigInt(Math.round(area.usedBytes))
    const free = BigInt(Math.round(area.totalBytes)) - used
    const usage = { rseId: id, source: 'storage', used, free, files: BigInt(area.files), updatedAt: now }
    await store.upsertUsage(db, usage)
  }
}

export async function readRseDistances(
  db: Db,
  input: { vo: string; srcId?: number; dstId?: number },
): Promise<RseDistance[]> {
  return store.selectDistances(db, input)
}

interface Pair {
  readonly vo: string
  readonly now: Date
  readonly src: string
  readonly dst: string
  readonly bidirectional?: boolean
}

async function pairs(
  db: Db,
  { vo, src, dst, bidirectional }: Pair,
): Promise<{ srcId: number; dstId: number }[]> {
  const from = (await getRse(db, { vo, name: src })).id
  const to = (await getRse(db, { vo, name: dst })).id
  const there = { srcId: from, dstId: to }
  return bidirectional && from !== to ? [there, { srcId: to, dstId: from }] : [there]
}

export async function setRseDistance(db: Db, input: Pair & { distance: number }): Promise<void> {
  if (!Number.isInteger(input.distance) || input.distance < 0) {
    throw invalidInput('A distance is a whole number from 0; smaller is nearer.')
  }
  await transaction(db, async (tx) => {
    const found = await pairs(tx, input)
    await store.upsertDistances(
      tx,
      found.map((pair) => ({ ...pair, distance: input.distance })),
    )
    await tell(tx, input.vo, input.now, input.src)
  })
}

export async function deleteRseDistance(db: Db, input: Pair): Promise<void> {
  await transaction(db, async (tx) => {
    if ((await store.removeDistances(tx, await pairs(tx, input))) === 0) {
      throw distanceNotFound(`There is no distance from "${input.src}" to "${input.dst}".`)
    }
    await tell(tx, input.vo, input.now, input.src)
  })
}

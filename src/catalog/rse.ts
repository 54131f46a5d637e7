import type { Db } from '../kernel/index.ts'
import type { AttributeValue, Rse, RseDistance, RseProperties, RseProtocol, RseUsage } from './types.ts'

/** All living RSEs of a VO, read from the database. Most callers want an RseTable. */
export async function readRses(db: Db, input: { vo: string }): Promise<Rse[]> {
  throw new Error('unfinished')
}
/** One RSE by name. Throws rse_not_found. */
export async function getRse(db: Db, input: { vo: string; name: string }): Promise<Rse> {
  throw new Error('unfinished')
}
export async function addRse(
  db: Db,
  input: { vo: string; now: Date; uuid: string; name: string; properties?: Partial<RseProperties> },
): Promise<Rse> {
  throw new Error('unfinished')
}
export async function updateRse(
  db: Db,
  input: { vo: string; now: Date; name: string; properties: Partial<RseProperties>; newName?: string },
): Promise<Rse> {
  throw new Error('unfinished')
}
/** Throws rse_not_empty while it holds replicas. */
export async function deleteRse(db: Db, input: { vo: string; now: Date; name: string }): Promise<void> {
  throw new Error('unfinished')
}
export async function setRseAttribute(
  db: Db,
  input: { vo: string; now: Date; rse: string; key: string; value: AttributeValue },
): Promise<void> {
  throw new Error('unfinished')
}
export async function deleteRseAttribute(
  db: Db,
  input: { vo: string; now: Date; rse: string; key: string },
): Promise<void> {
  throw new Error('unfinished')
}
export async function addRseProtocol(
  db: Db,
  input: { vo: string; now: Date; rse: string; protocol: RseProtocol },
): Promise<void> {
  throw new Error('unfinished')
}
/** Which protocols are meant: all of a scheme, or one by host and port. */
export interface ProtocolChoice {
  readonly scheme: string
  readonly hostname?: string
  readonly port?: number
}
export async function updateRseProtocols(
  db: Db,
  input: { vo: string; now: Date; rse: string; choice: ProtocolChoice; changes: Partial<RseProtocol> },
): Promise<void> {
  throw new Error('unfinished')
}
export async function deleteRseProtocols(
  db: Db,
  input: { vo: string; now: Date; rse: string; choice: ProtocolChoice },
): Promise<void> {
  throw new Error('unfinished')
}
export async function setRseLimit(
  db: Db,
  input: { vo: string; now: Date; rse: string; name: string; value: bigint },
): Promise<void> {
  throw new Error('unfinished')
}
export async function deleteRseLimit(
  db: Db,
  input: { vo: string; now: Date; rse: string; name: string },
): Promise<void> {
  throw new Error('unfinished')
}
/** Usage per source; source `rucio` is exact (base + pending changes). */
export async function readRseUsage(
  db: Db,
  input: { rseIds?: readonly number[]; now: Date },
): Promise<RseUsage[]> {
  throw new Error('unfinished')
}
/** Stores usage somebody measured (source other than `rucio`). */
export async function setRseUsage(
  db: Db,
  input: {
    vo: string
    now: Date
    rse: string
    source: string
    used: bigint
    free?: bigint | null
    files?: bigint | null
  },
): Promise<void> {
  throw new Error('unfinished')
}
export async function readRseDistances(
  db: Db,
  input: { vo: string; srcId?: number; dstId?: number },
): Promise<RseDistance[]> {
  throw new Error('unfinished')
}
export async function setRseDistance(
  db: Db,
  input: { vo: string; now: Date; src: string; dst: string; distance: number; bidirectional?: boolean },
): Promise<void> {
  throw new Error('unfinished')
}
export async function deleteRseDistance(
  db: Db,
  input: { vo: string; now: Date; src: string; dst: string; bidirectional?: boolean },
): Promise<void> {
  throw new Error('unfinished')
}

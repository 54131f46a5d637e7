import type { Db } from '../kernel/database.ts'
import { type Downtime, downtimesAhead, presentDowntime } from '../sites/index.ts'
import { transferMissing } from './errors.ts'
import {
  type LinkRow,
  readLinks,
  readSources,
  readTransfer,
  readTransfers,
  sitesOfStorages,
  type TransferFilter,
  type TransferRow,
} from './transfers.store.ts'

/** Which transfers a list shows. */
export type TransferList = TransferFilter['list']

export interface LinkLine {
  readonly source: string
  readonly destination: string
  readonly sourceSite: string | null
  readonly destinationSite: string | null
  readonly active: bigint
  readonly done: bigint
  readonly failed: bigint
  readonly bytes: bigint
  readonly rateBytesPerSecond: number
  readonly maxActive: number | null
  readonly rationale: string
  /** A storage of the link failed again and again: nothing is started before, and why. */
  readonly blockedUntil: Date | null
  readonly blockedReason: string | null
  readonly lastError: string | null
}

export interface TransferLine {
  readonly id: string
  readonly scope: string
  readonly name: string
  readonly source: string | null
  readonly destination: string
  readonly bytes: bigint
  readonly bytesDone: bigint
  readonly state: string
  readonly attempts: number
  readonly error: string | null
  readonly activity: string
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly notBefore: Date | null
  readonly deadline: Date | null
}

export interface TransferExplanation {
  readonly transfer: TransferLine
  readonly sources: readonly {
    readonly storage: string
    readonly state: string
    readonly readable: boolean
  }[]
  readonly link: LinkLine | null
  /** Why it is in its present state: `moving`, `verifying`, `retry_later`, `no_source`, `link_blocked`, `link_full`, `downtime`, `next_in_line`, `finished`. */
  readonly because: string
  /** Of `downtime`: what is away, until when, and why. */
  readonly downtime: { readonly name: string; readonly until: Date; readonly reason: string } | null
}

const HOUR_MS = 3_600_000

/** The sentence inside a stored error, whatever room wrote it. */
export function errorText(error: unknown): string | null {
  if (error === null || error === undefined) return null
  if (typeof error === 'string') return error
  const { message, code } = error as { message?: unknown; code?: unknown }
  if (typeof message === 'string') return message
  return typeof code === 'string' ? code : JSON.stringify(error)
}

const link = (row: LinkRow): LinkLine => ({
  source: row.source,
  destination: row.destination,
  sourceSite: row.source_site,
  destinationSite: row.destination_site,
  active: row.active,
  done: row.done,
  failed: row.failed,
  bytes: row.bytes,
  rateBytesPerSecond: row.active > 0n ? (row.rate ?? 0) : 0,
  maxActive: row.max_active,
  rationale: row.rationale ?? '',
  blockedUntil: row.blocked_until,
  blockedReason: row.blocked_reason,
  lastError: errorText(row.last_error),
})

const line = (row: TransferRow): TransferLine => ({
  id: row.id,
  scope: row.scope,
  name: row.name,
  source: row.source,
  destination: row.destination,
  bytes: row.bytes,
  bytesDone: row.bytes_done,
  state: row.state,
  attempts: row.attempts,
  error: errorText(row.error),
  activity: row.activity,
  createdAt: row.created_at,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  notBefore: row.not_before,
  deadline: row.deadline,
})

/** One line per link: what it did in the last hours, what it does now, and what the rate controller thinks. */
export async function linkLines(db: Db, now: Date, vo: string, hours = 24): Promise<LinkLine[]> {
  return (await readLinks(db, now, vo, new Date(now.getTime() - hours * HOUR_MS))).map(link)
}

/** The newest transfers of one list. */
export async function transferLines(db: Db, vo: string, filter: TransferFilter): Promise<TransferLine[]> {
  return (await readTransfers(db, vo, filter)).map(line)
}

/** Why a transfer is as it is: its copies, its link, and the one reason that counts. */
export async function transferExplanation(
  db: Db,
  now: Date,
  vo: string,
  id: string,
): Promise<TransferExplanation> {
  const found = await readTransfer(db, vo, id)
  if (!found)
    throw transferMissing(`There is no transfer ${id}; finished ones are kept for a while only.`, { id })
  const transfer = line(found)
  const candidates = await readSources(db, vo, transfer.scope, transfer.name)
  const sources = candidates
    .filter((c) => c.storage !== transfer.destination)
    .map((c) => ({ storage: c.storage, state: c.state, readable: c.can_read && c.state === 'A' }))
  const links = await linkLines(db, now, vo)
  const readable = new Set(sources.filter((s) => s.readable).map((s) => s.storage))
  const mine = links.find(
    (l) =>
      l.destination === transfer.destination &&
      (transfer.source ? l.source === transfer.source : readable.has(l.source)),
  )
  const outage = transfer.finishedAt ? undefined : await outageOf(db, now, vo, transfer, [...readable])
  const because = (): string => {
    if (transfer.finishedAt) return 'finished'
    if (transfer.state === 'active') return 'moving'
    if (transfer.state === 'verifying') return 'verifying'
    if (readable.size === 0) return 'no_source'
    if (outage) return 'downtime'
    if (mine?.blockedUntil) return 'link_blocked'
    if (transfer.notBefore && transfer.notBefore > now) return 'retry_later'
    if (mine?.maxActive != null && mine.active >= BigInt(mine.maxActive)) return 'link_full'
    return 'next_in_line'
  }
  const why = because()
  const downtime =
    why === 'downtime' && outage
      ? { name: outage.storage ?? outage.site, until: outage.endsAt, reason: outage.reason }
      : null
  return { transfer, sources, link: mine ?? null, because: why, downtime }
}

/** The outage that a transfer waits for: of its destination, or of all storages from which it could be made. */
async function outageOf(
  db: Db,
  now: Date,
  vo: string,
  transfer: TransferLine,
  readable: readonly string[],
): Promise<Downtime | undefined> {
  const downtimes = await downtimesAhead(db, now, vo)
  if (downtimes.length === 0) return undefined
  const homes = await sitesOfStorages(db, vo, [transfer.destination, ...readable])
  const outage = (storage: string): Downtime | undefined => {
    const site = homes.get(storage)
    const present = site === undefined ? undefined : presentDowntime(downtimes, { site, storage }, now)
    return present?.severity === 'OUTAGE' ? present : undefined
  }
  const destination = outage(transfer.destination)
  if (destination) return destination
  const sources = readable.map(outage)
  return sources.every((one) => one !== undefined) ? sources[0] : undefined
}

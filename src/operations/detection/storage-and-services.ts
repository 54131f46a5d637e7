import {
  central,
  DAY_MS,
  HOUR_MS,
  hours,
  MINUTE_MS,
  minutes,
  percent,
  type Sign,
  sign,
  site,
  storage,
} from './finding.ts'
import { slope, wilsonLower } from './statistics.ts'
import { type Central, linkName, type Picture, type Severity } from './types.ts'

const AMBER = 0.9
const RED = 0.95

/** R13: full, nearly full, full soon, or two sources do not agree. */
export function fullStorages(now: Date, { storages = [] }: Picture): Sign[] {
  return storages.flatMap((one) => {
    const { usedBytes, totalBytes, catalogueBytes } = one
    if (totalBytes <= 0) return []
    const at = { within: one.site === null ? [] : [site(one.site)] }
    const entity = storage(one.storage)
    const usedPercent = percent(usedBytes, totalBytes)
    const found: Sign[] = []
    if (usedBytes > RED * totalBytes) {
      found.push(sign('R13', 'storage full', entity, 'error', { usedPercent }, at))
    } else {
      const days = daysUntilFull(now, one)
      if (days < 14) {
        const severity = days < 3 ? 'error' : 'warn'
        found.push(
          sign('R13', 'storage full soon', entity, severity, { usedPercent, days: Math.floor(days) }, at),
        )
      } else if (usedBytes > AMBER * totalBytes) {
        found.push(sign('R13', 'storage nearly full', entity, 'warn', { usedPercent }, at))
      }
    }
    if (catalogueBytes !== null && Math.abs(catalogueBytes - usedBytes) > 0.02 * totalBytes) {
      const differPercent = percent(Math.abs(catalogueBytes - usedBytes), totalBytes)
      found.push(sign('R13', 'storage and catalogue differ', entity, 'warn', { differPercent }, at))
    }
    return found
  })
}

/** Days until 95 % at the pace of the last fortnight; with less than a day to look at, nobody knows. */
export function daysUntilFull(
  now: Date,
  {
    usedBytes,
    totalBytes,
    history,
  }: Pick<NonNullable<Picture['storages']>[number], 'usedBytes' | 'totalBytes' | 'history'>,
): number {
  const points = history
    .map(({ at, usedBytes: value }) => ({ at: at.getTime() - now.getTime(), value }))
    .filter(({ at }) => at >= -14 * DAY_MS && at <= 0)
  const oldest = Math.min(0, ...points.map(({ at }) => at))
  if (oldest > -DAY_MS) return Number.POSITIVE_INFINITY
  const perDay = slope([...points, { at: 0, value: usedBytes }]) * DAY_MS
  return perDay > 0 ? Math.max(0, RED * totalBytes - usedBytes) / perDay : Number.POSITIVE_INFINITY
}

/** R14: a gateway is away for ten minutes. What its tests say is the evidence's. */
export function silentGateways(now: Date, { gateways = [] }: Picture): Sign[] {
  return gateways.flatMap(({ site: at, lastSeen }) => {
    const silentMs = lastSeen ? now.getTime() - lastSeen.getTime() : 0
    if (!lastSeen || silentMs < 10 * MINUTE_MS) return []
    const facts = { silentMinutes: minutes(silentMs) }
    return sign('R14', 'gateway is silent', site(at), 'error', facts, { since: lastSeen })
  })
}

/** R19: a link fails, or is slow when it is full. Transfers that hang are ended, and so have failed. */
export function badLinks({ links = [] }: Picture): Sign[] {
  return links.flatMap((one) => {
    const { source, destination, attempts, failed, failedAt, full } = one
    const entity = { kind: 'link', name: linkName(source, destination) } as const
    const at = { within: [storage(source), storage(destination)] }
    const found: Sign[] = []
    if (attempts >= 20 && wilsonLower(failed, attempts) > 0.2) {
      const facts = { attempts, failed, ...failedAtFacts(failedAt) }
      found.push(sign('R19', 'link fails', entity, 'warn', facts, at))
    }
    if (full && full.bytesPerSecond < full.usualBytesPerSecond / 2)
      found.push(sign('R19', 'link is slow', entity, 'warn', { ...full }, at))
    return found
  })
}

const failedAtFacts = (at: NonNullable<Picture['links']>[number]['failedAt']) => ({
  ...{ atSource: at.source, atDestination: at.destination, atTransfer: at.transfer },
})

/** R12: what everybody depends on. */
export function centralSystems(now: Date, { central: picture }: Picture): Sign[] {
  if (!picture) return []
  const { workers = [], queues = [], clocks = [], expiries = [], disks = [] } = picture
  const found: Sign[] = []
  for (const { name, lastSuccess, periodMs } of workers) {
    const late = now.getTime() - lastSuccess.getTime()
    if (late > 3 * periodMs && late > MINUTE_MS) {
      const facts = { lateMinutes: minutes(late), periodMinutes: minutes(periodMs) }
      found.push(sign('R12', 'worker is late', central(name), 'error', facts))
    }
  }
  for (const { name, backlog, perMinute } of queues) {
    // Work for more than half an hour; of a queue that does not move at all, a hundred are.
    const needs = perMinute > 0 ? backlog / perMinute : backlog >= 100 ? Number.POSITIVE_INFINITY : 0
    if (needs > 30) found.push(sign('R12', 'queue is long', central(name), 'warn', { backlog, perMinute }))
  }
  for (const { site: at, offsetMs } of clocks) {
    const severity = limited(Math.abs(offsetMs), 1_000, 30_000)
    if (severity) found.push(sign('R12', 'clock is off', site(at), severity, { offsetMs }))
  }
  for (const { name, at } of expiries) {
    const left = at.getTime() - now.getTime()
    if (left >= 14 * DAY_MS) continue
    const severity = left < 2 * DAY_MS ? 'critical' : 'warn'
    found.push(sign('R12', 'expires soon', central(name), severity, { hoursLeft: hours(left) }))
  }
  for (const { name, freeBytes, totalBytes } of disks) {
    if (totalBytes > 0 && freeBytes < 0.1 * totalBytes) {
      const facts = { freePercent: percent(freeBytes, totalBytes) }
      found.push(sign('R12', 'disk is full', central(name), 'error', facts))
    }
  }
  return [...found, ...database(picture.database)]
}

function database(database: Central['database']): Sign[] {
  if (!database) return []
  const { oldestTransactionMs, connections, maxConnections, replicationLagMs } = database
  const found: Sign[] = []
  if (oldestTransactionMs > 10 * MINUTE_MS) {
    const facts = { oldestMinutes: minutes(oldestTransactionMs) }
    found.push(sign('R12', 'transaction is old', central('database'), 'warn', facts))
  }
  if (connections > 0.8 * maxConnections) {
    const facts = { connections, maxConnections }
    found.push(sign('R12', 'connections run out', central('database'), 'error', facts))
  }
  if (replicationLagMs !== null && replicationLagMs > MINUTE_MS) {
    const facts = { lagMinutes: minutes(replicationLagMs) }
    found.push(sign('R12', 'replica is behind', central('database'), 'warn', facts))
  }
  return found
}

const limited = (value: number, warn: number, critical: number): Severity | null =>
  value > critical ? 'critical' : value > warn ? 'warn' : null

/** R21: rules and deletions that do not get on. */
export function ruleBacklogs(now: Date, { rules }: Picture): Sign[] {
  if (!rules) return []
  const { stuckWithoutSource, stuckOtherwise, expired, unevaluated, unevaluatedSince, lateDeletions } = rules
  const found: Sign[] = []
  const add = (code: string, name: string, n: number) =>
    found.push(sign('R21', code, central(name), 'warn', { n }))
  if (stuckWithoutSource > 0) add('rules without a source', 'rules', stuckWithoutSource)
  if (stuckOtherwise > 0) add('rules are stuck', 'rules', stuckOtherwise)
  if (expired > 0) add('expired rules remain', 'rules', expired)
  const waits = unevaluatedSince ? now.getTime() - unevaluatedSince.getTime() : 0
  if (unevaluated > 0 && waits > HOUR_MS / 2) add('datasets wait for their rules', 'rules', unevaluated)
  if (lateDeletions > 0) add('deletions are late', 'deletions', lateDeletions)
  return found
}

/** R23: copies that were complained about. */
export function doubtfulCopies({ suspicious = [] }: Picture): Sign[] {
  const doubted = new Map<string, string[]>()
  for (const { storage: name, file, reports } of suspicious) {
    if (reports >= 5) doubted.set(name, [...(doubted.get(name) ?? []), file])
  }
  return [...doubted].map(([name, files]) =>
    files.length > 5
      ? sign('R23', 'storage is suspicious', storage(name), 'error', { files: files.length })
      : sign('R23', 'copies are suspicious', storage(name), 'warn', {
          ...{ files: files.length, first: files.sort()[0]! },
        }),
  )
}

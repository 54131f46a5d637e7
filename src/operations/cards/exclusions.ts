import type { Tx } from '../../kernel/database.ts'
import { publish } from '../../kernel/events.ts'
import {
  type Exclusion,
  endExclusions,
  exclusionsBetween,
  exclusionsNow,
  extendExclusions,
  insertExclusion,
} from '../../sites/index.ts'
import { resourcesOf } from '../../workload/index.ts'
import { type Cause, type Finding, guardExclusions } from '../detection/index.ts'
import { addEntries } from '../shifts/log.store.ts'

const HOUR_MS = 3_600_000
/** An exclusion that is no longer wanted, or that nobody looks after, ends by itself. */
const LASTS_MS = HOUR_MS / 2

/**
 * What the guard lets the machine do: start fewer pilots at a site, or none, for half an hour from the last look that
 * wanted it. Sites that a person has decided about are left alone.
 */
export async function applyGuard(
  tx: Tx,
  now: Date,
  vo: string,
  { findings, causes }: { findings: readonly Finding[]; causes: readonly Cause[] },
): Promise<void> {
  const present = await exclusionsNow(tx, now, vo)
  const lately = await exclusionsBetween(tx, vo, new Date(now.getTime() - HOUR_MS), now)
  const slots: Record<string, number> = {}
  for (const { site, maxPilots, cores } of await resourcesOf(tx, vo))
    slots[site] = (slots[site] ?? 0) + maxPilots * cores
  const own = ({ madeBy, resource }: Exclusion) => madeBy === null && resource === null
  const decisions = guardExclusions(now, {
    ...{ findings, causes, slots },
    exclusions: lately.filter(own).map((one) => ({
      ...{ site: one.site, at: one.madeAt },
      until: one.endedAt ?? one.until,
    })),
    held: present.filter(({ madeBy }) => madeBy !== null).map(({ site }) => site),
  })
  const until = new Date(now.getTime() + LASTS_MS)
  const machine = present.filter(own)
  const kept: bigint[] = []
  for (const { site, action, rule, because } of decisions) {
    if (action === 'none') continue
    const already = machine.find((one) => one.site === site)
    if (already) kept.push(already.id)
    if (because === 'already out' || already) continue
    const worst = findings.find((one) => one.rule === rule && one.entity.name === site)
    const reason = `${worst?.code ?? 'it is ill'} (${rule})`
    const made = await insertExclusion(tx, now, {
      vo,
      site,
      resource: null,
      action,
      reason,
      madeBy: null,
      until,
    })
    await tellExclusion(tx, now, made, 'excluded', null)
  }
  if (kept.length > 0) await extendExclusions(tx, kept, until)
  const over = machine.filter(({ id }) => !kept.includes(id)).map(({ id }) => id)
  for (const ended of over.length > 0 ? await endExclusions(tx, now, over, null) : [])
    await tellExclusion(tx, now, ended, 'let in', null)
}

/** Into the log of the shift, and to whoever listens. */
export async function tellExclusion(
  tx: Tx,
  now: Date,
  { vo, site, resource, action, reason, until }: Exclusion,
  what: 'excluded' | 'let in' | 'held in',
  author: string | null,
): Promise<void> {
  const name = resource ?? site
  const how =
    what === 'excluded' ? (action === 'throttle' ? 'gets few pilots' : 'gets no pilots') : `is ${what}`
  const end = what === 'let in' ? '' : ` until ${until.toISOString()}`
  const text = `${name} ${how}${end}: ${reason}`
  await addEntries(tx, [{ vo, at: now, author, kind: 'exclusion', text, site }])
  await publish(tx, now, [{ vo, kind: 'exclusion.changed', subject: name, payload: { text, by: author } }])
}

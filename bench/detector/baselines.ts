import { type Entity, entityKey, type Measure } from '../../src/operations/detection/index.ts'
import type { Incident } from './incidents.ts'
import type { Slice } from './traffic.ts'

/** From when to when a baseline called an entity ill, in bins. */
export interface Alarm {
  readonly entity: Entity
  readonly from: number
  to: number
}

const WINDOW_BINS = 3
const LEAST = 10
const KINDS: Readonly<Record<string, number>> = { Banned: 0.5, Degraded: 0.9 }
const MEASURES: readonly Measure[] = ['jobs', 'pilots', 'transfers']

interface Counts {
  readonly bin: number
  readonly n: number
  readonly failed: number
}

/**
 * Rules in the style of the field: the part of successes of the last 30 min, judged from ten on; `Banned` at a half,
 * `Degraded` at nine tenths. Jobs and pilots by site, transfers by storage. Silent in declared downtimes.
 */
export function makeBaselines(incidents: readonly Incident[]) {
  const windows = new Map<string, { entity: Entity; site: string; measure: Measure; counts: Counts[] }>()
  const all = Object.fromEntries(Object.keys(KINDS).map((name) => [name, [] as Alarm[]]))
  const open = new Map<string, Alarm>()
  const downtimes = incidents.filter(({ kind }) => kind === 'downtime')

  return {
    take({ bin, bins }: Pick<Slice, 'bin' | 'bins'>): void {
      for (const { entity, within = [], measure, n, failed } of bins) {
        if (entity.kind === 'resource' || entity.kind === 'link' || !MEASURES.includes(measure)) continue
        const key = `${measure} ${entityKey(entity)}`
        const known = windows.get(key) ?? {
          entity,
          site: within[0]?.name ?? entity.name,
          measure,
          counts: [],
        }
        known.counts.push({ bin, n, failed })
        windows.set(key, known)
      }
      for (const [name, limit] of Object.entries(KINDS)) {
        const ill = new Map<string, Entity>()
        for (const { entity, site, counts } of windows.values()) {
          while (counts.length > 0 && counts[0]!.bin <= bin - WINDOW_BINS) counts.shift()
          const n = counts.reduce((sum, one) => sum + one.n, 0)
          const failed = counts.reduce((sum, one) => sum + one.failed, 0)
          if (
            downtimes.some(
              ({ sites, from, to }) => sites.includes(site) && bin >= from && bin < to + WINDOW_BINS,
            )
          )
            continue
          if (n >= LEAST && (n - failed) / n <= limit) ill.set(entityKey(entity), entity)
        }
        for (const [key, entity] of ill) {
          const known = open.get(`${name} ${key}`)
          if (known) known.to = bin + 1
          else {
            const alarm = { entity, from: bin + 1, to: bin + 1 }
            open.set(`${name} ${key}`, alarm)
            all[name]!.push(alarm)
          }
        }
        for (const [key, alarm] of open) {
          if (key.startsWith(name) && !ill.has(entityKey(alarm.entity))) open.delete(key)
        }
      }
    },
    alarms(end: number): Readonly<Record<string, readonly Alarm[]>> {
      for (const alarm of open.values()) alarm.to = end
      return all
    },
  }
}

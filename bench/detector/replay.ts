import {
  type Bin,
  type Card,
  type CardChange,
  detect,
  type Entity,
  emptyMemory,
  groupIntoCards,
  guardExclusions,
} from '../../src/operations/detection/index.ts'
import { type Alarm, makeBaselines } from './baselines.ts'
import { type Incident, makeIncidents } from './incidents.ts'
import { makePictures } from './picture.ts'
import { makeTraffic, type Slice, type Traffic } from './traffic.ts'
import { makeWorld, startOf, type World } from './world.ts'

/** One card as a shifter saw it: times in bins. */
export interface SeenCard {
  key: string
  readonly opened: number
  closed: number
  merged: boolean
  /** When it was first held against an entity, by `kind name`. */
  readonly blamed: Map<string, number>
  readonly shown: Map<string, number>
}

export interface Replayed {
  readonly world: World
  readonly incidents: readonly Incident[]
  readonly bins: number
  readonly cards: readonly SeenCard[]
  readonly baselines: Readonly<Record<string, readonly Alarm[]>>
  /** Slot hours taken from sites that were well, and from sites that were not. */
  readonly lost: number
  readonly saved: number
  readonly cpuSeconds: number
}

const TENTH = 0.1
const ILL = 0.3

/** Goes through the days once, as a grid would: what the guard allows is shut out, and the next bin is without it. */
export function replay({ seed, each, days }: { seed: number; each: number; days: number }): Replayed {
  const bins = days * 144
  const world = makeWorld(seed)
  const incidents = makeIncidents(world, seed + 1, each, bins)
  const traffic = makeTraffic(world, incidents, seed + 2)
  // The baselines see the grid without the detector's exclusions.
  const open = makeBaselines(incidents)
  const pictures = makePictures(world, incidents)
  const slots = Object.fromEntries(world.sites.map((site) => [site.name, site.slots]))
  let memory = emptyMemory
  let cards: Card[] = []
  const seen: SeenCard[] = []
  let exclusions: { site: string; at: Date; until: Date | null }[] = []
  let throttled = new Set<string>()
  let lost = 0
  let saved = 0
  let cpu = 0

  for (let bin = 0; bin < bins; bin++) {
    const slice = traffic.slice(bin, (site) => (throttled.has(site) ? TENTH : 1))
    open.take({ bin, bins: withoutExclusions(slice, traffic, throttled) })
    for (const site of throttled) {
      const hours = ((1 - TENTH) * slots[site]!) / 6
      if (slice.harm.illness(site) >= ILL) saved += hours
      else lost += hours
    }
    const picture = pictures.take(slice, throttled)
    const now = startOf(bin + 1)
    const before = process.cpuUsage()
    const { memory: next, findings, causes } = detect(memory, now, picture)
    const changes = groupIntoCards(now, cards, findings, causes)
    const decisions = guardExclusions(now, { findings, causes, slots, exclusions, held: [] })
    const used = process.cpuUsage(before)
    cpu += (used.user + used.system) / 1e6
    memory = next
    cards = keep(cards, changes, seen, bin + 1)
    throttled = new Set(decisions.filter(({ action }) => action !== 'none').map(({ site }) => site))
    exclusions = followed(exclusions, throttled, now)
  }
  for (const card of seen) if (card.closed < 0) card.closed = bins
  return {
    world,
    incidents,
    bins,
    cards: seen,
    baselines: open.alarms(bins),
    lost,
    saved,
    cpuSeconds: cpu,
  }
}

const keyOf = ({ kind, name }: Entity): string => `${kind} ${name}`

/** What the sites that are shut out would have shown. */
function withoutExclusions(
  { bin, bins }: Slice,
  traffic: Traffic,
  throttled: ReadonlySet<string>,
): readonly Bin[] {
  if (throttled.size === 0) return bins
  const others = bins.filter(
    ({ entity, within = [], measure }) =>
      measure === 'transfers' ||
      ![entity, ...within].some(({ kind, name }) => kind === 'site' && throttled.has(name)),
  )
  return [...others, ...traffic.slice(bin, () => 1, throttled).bins]
}

/** A store of cards in memory, which also notes what a shifter would have seen. */
function keep(cards: readonly Card[], changes: readonly CardChange[], seen: SeenCard[], bin: number): Card[] {
  const all = new Map(cards.map((card) => [card.key, card]))
  const shown = new Map(seen.filter(({ closed }) => closed < 0).map((one) => [one.key, one]))
  const show = (card: Pick<Card, 'key' | 'entity' | 'entities'>) => {
    const known = shown.get(card.key)!
    const key = card.entity ? keyOf(card.entity) : 'central together'
    if (!known.blamed.has(key)) known.blamed.set(key, bin)
    for (const one of card.entities) if (!known.shown.has(keyOf(one))) known.shown.set(keyOf(one), bin)
  }
  for (const change of changes) {
    if (change.kind === 'open') {
      const { card } = change
      all.set(card.key, {
        ...{ ...card, state: 'NEW', acknowledgedAt: null, owner: null, expires: null },
        ...{ escalation: 'none', stale: false },
      })
      const one = {
        key: card.key,
        opened: bin,
        closed: -1,
        merged: false,
        blamed: new Map(),
        shown: new Map(),
      }
      seen.push(one)
      shown.set(card.key, one)
      show(card)
    } else if (change.kind === 'update') {
      const card = { ...all.get(change.key)!, ...change.card }
      const one = shown.get(change.key)!
      // The same card to whoever reads it, also when it turns out to be about something else.
      all.delete(change.key)
      shown.delete(change.key)
      one.key = card.key
      all.set(card.key, card)
      shown.set(card.key, one)
      show(card)
    } else if (change.kind === 'close') {
      all.delete(change.key)
      const one = shown.get(change.key)!
      one.closed = bin
      one.merged = change.reason === 'merged'
    }
  }
  return [...all.values()]
}

function followed(
  known: readonly { site: string; at: Date; until: Date | null }[],
  throttled: ReadonlySet<string>,
  now: Date,
): { site: string; at: Date; until: Date | null }[] {
  const open = new Set(known.filter(({ until }) => until === null).map(({ site }) => site))
  const kept = known.map((one) =>
    one.until === null && !throttled.has(one.site) ? { ...one, until: now } : one,
  )
  const added = [...throttled]
    .filter((site) => !open.has(site))
    .map((site) => ({ site, at: now, until: null }))
  return [...kept, ...added].filter(
    ({ until }) => until === null || until.getTime() > now.getTime() - 7_200_000,
  )
}

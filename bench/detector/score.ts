import { median } from '../../src/operations/detection/statistics.ts'
import type { Alarm } from './baselines.ts'
import { BENIGN, HARMFUL, type Incident, type Kind } from './incidents.ts'
import type { Replayed } from './replay.ts'
import type { World } from './world.ts'

/** One episode of whoever is judged: a card, or an alarm of a baseline. Times in bins. */
interface Episode {
  readonly opened: number
  readonly closed: number
  readonly blamed: ReadonlyMap<string, number>
  readonly shown: ReadonlyMap<string, number>
}

export interface KindScore {
  readonly kind: Kind
  readonly incidents: number
  readonly found: number
  /** Found, and the right thing named by at least one card. */
  readonly named: number
  readonly minutes: readonly number[]
  readonly episodes: number
}

export interface Score {
  readonly kinds: readonly KindScore[]
  readonly incidents: number
  readonly recall: number
  /** Episodes that belong to an incident, of all. */
  readonly precision: number
  /** Episodes that were the first to tell of an incident, of all: what tells once more of what is known is a false alarm. */
  readonly newPrecision: number
  readonly episodes: number
  readonly medianMinutes: number
  readonly p90Minutes: number
  readonly episodesPerIncident: number
  /** Incidents found under a wrong name only, of those found. */
  readonly wrongCause: number
}

/** Alarms end late: what is opened so long after an incident is still its own. */
const AFTER_BINS = 6

export const scoreOfDetector = (replayed: Replayed): Score => scoreOf(replayed, replayed.cards)

export function scoreOfBaseline(replayed: Replayed, alarms: readonly Alarm[]): Score {
  return scoreOf(
    replayed,
    alarms.map(({ entity, from, to }) => {
      const key = `${entity.kind} ${entity.name}`
      return { opened: from, closed: to, blamed: new Map([[key, from]]), shown: new Map([[key, from]]) }
    }),
  )
}

/** What was told of an incident: when first, in bins, and by which episode. */
interface Told {
  first: number | null
  by: Episode | null
  named: boolean
  episodes: number
}

function toldOf({ world, incidents }: Replayed, episodes: readonly Episode[]) {
  const harmful = incidents.filter(({ kind }) => !(BENIGN as readonly Kind[]).includes(kind))
  const touched = new Map(harmful.map((one) => [one, touchedBy(one, world)]))
  const counts = new Map<Incident, Told>(
    harmful.map((one) => [one, { first: null, by: null, named: false, episodes: 0 }]),
  )
  let right = 0
  for (const episode of episodes) {
    const matching = harmful.flatMap((incident) => {
      const at = matched(episode, incident, touched.get(incident)!)
      return at === null ? [] : [{ incident, ...at }]
    })
    if (matching.length > 0) right++
    for (const { incident, at, named } of matching) {
      const count = counts.get(incident)!
      if (count.first === null || at < count.first) {
        count.first = at
        count.by = episode
      }
      count.named ||= named
    }
    // It is one episode of the incident that it names, or of the one that it is shown for first.
    const [own] = matching.sort((a, b) => Number(b.named) - Number(a.named) || a.at - b.at)
    if (own) counts.get(own.incident)!.episodes++
  }
  return { counts, right }
}

/** Minutes until each incident that does harm was told of; null: it never was. */
export function delaysOf(replayed: Replayed): ReadonlyMap<Incident, number | null> {
  const { counts } = toldOf(replayed, replayed.cards)
  return new Map(
    [...counts].map(([one, { first }]) => [one, first === null ? null : 10 * (first - one.from)]),
  )
}

function scoreOf(replayed: Replayed, episodes: readonly Episode[]): Score {
  const { incidents } = replayed
  const { counts, right } = toldOf(replayed, episodes)
  const news = new Set([...counts.values()].flatMap(({ by }) => by ?? []))
  const kinds = [...HARMFUL, ...BENIGN].map((kind): KindScore => {
    const all = incidents.filter((one) => one.kind === kind)
    const known = all.flatMap((one) => (counts.has(one) ? [{ one, ...counts.get(one)! }] : []))
    const found = known.filter(({ first }) => first !== null)
    return {
      ...{ kind, incidents: all.length, found: found.length },
      named: found.filter(({ named }) => named).length,
      minutes: found.map(({ one, first }) => 10 * (first! - one.from)),
      episodes: known.reduce((sum, one) => sum + one.episodes, 0),
    }
  })
  return { kinds, ...totals(kinds, episodes.length, right, news.size) }
}

/** Several replays as one. */
export function together(scores: readonly Score[]): Score {
  const kinds = scores[0]!.kinds.map(({ kind }): KindScore => {
    const all = scores.map(({ kinds: some }) => some.find((one) => one.kind === kind)!)
    const sum = (of: (one: KindScore) => number) => all.reduce((total, one) => total + of(one), 0)
    return {
      ...{ kind, incidents: sum(({ incidents }) => incidents), found: sum(({ found }) => found) },
      ...{ named: sum(({ named }) => named), episodes: sum(({ episodes }) => episodes) },
      minutes: all.flatMap(({ minutes }) => minutes),
    }
  })
  const episodes = scores.reduce((sum, one) => sum + one.episodes, 0)
  const of = (part: (one: Score) => number) =>
    scores.reduce((sum, one) => sum + Math.round(part(one) * one.episodes), 0)
  const right = of(({ precision }) => precision)
  const news = of(({ newPrecision }) => newPrecision)
  return { kinds, ...totals(kinds, episodes, right, news) }
}

function totals(
  kinds: readonly KindScore[],
  episodes: number,
  right: number,
  news: number,
): Omit<Score, 'kinds'> {
  const harmful = kinds.filter(({ kind }) => !(BENIGN as readonly Kind[]).includes(kind))
  const sum = (of: (one: KindScore) => number) => harmful.reduce((all, one) => all + of(one), 0)
  const minutes = harmful.flatMap((one) => one.minutes).sort((a, b) => a - b)
  const found = sum((one) => one.found)
  return {
    ...{ incidents: sum((one) => one.incidents), episodes },
    recall: found / sum((one) => one.incidents),
    precision: episodes > 0 ? right / episodes : 1,
    newPrecision: episodes > 0 ? news / episodes : 1,
    medianMinutes: median(minutes),
    p90Minutes: minutes[Math.max(0, Math.ceil(0.9 * minutes.length) - 1)] ?? Number.NaN,
    episodesPerIncident: right / found,
    wrongCause: 1 - sum((one) => one.named) / found,
  }
}

/** When an episode first told of an incident, and whether it named it; null: it is not about it. */
function matched(
  { opened, closed, blamed, shown }: Episode,
  { from, to, blame }: Incident,
  touched: ReadonlySet<string>,
): { at: number; named: boolean } | null {
  if (closed <= from || opened > to + AFTER_BINS) return null
  const names = blame.map(({ kind, name }) => `${kind} ${name}`)
  const told = (when: ReadonlyMap<string, number>, of: (key: string) => boolean) => {
    // What it said before the incident began was about something else.
    const times = [...when].filter(([key, at]) => of(key) && at > from && at <= to + AFTER_BINS)
    return times.length > 0 ? Math.min(...times.map(([, at]) => at)) : null
  }
  const named = told(blamed, (key) => names.includes(key))
  const seen = told(shown, (key) => touched.has(key) || names.includes(key))
  const times = [named, seen].filter((at) => at !== null)
  return times.length > 0 ? { at: Math.min(...times), named: named !== null } : null
}

/** All entities at which an incident can be seen. */
function touchedBy(incident: Incident, world: World): ReadonlySet<string> {
  const { kind, sites, storage, resource, link, release, production, user, blame } = incident
  const touched = new Set(blame.map((one) => `${one.kind} ${one.name}`))
  const add = (what: string, name: string | null) => name !== null && touched.add(`${what} ${name}`)
  const addSite = (name: string) => {
    add('site', name)
    const known = world.sites.find((one) => one.name === name)!
    for (const one of known.resources) add('resource', one)
    for (const one of known.nodes) add('node', one)
    if (known.home === `${name}-disk`) add('storage', known.home)
  }
  if (kind === 'database') return everything(world)
  for (const name of sites) addSite(name)
  add('storage', storage)
  add('resource', resource)
  add('release', release)
  add('production', production)
  add('user', user)
  for (const end of link ?? []) add('storage', end)
  // What reads from or writes to a storage runs anywhere, and so does a release, a production, a user.
  if (storage || release || production || user) for (const one of world.sites) add('site', one.name)
  if (storage)
    for (const one of world.links) {
      if (one.source === storage || one.destination === storage)
        add('link', `${one.source} → ${one.destination}`)
    }
  if (release) {
    for (const one of world.productions) if (one.release === release) add('production', one.name)
    for (const one of world.users) if (one.release === release) add('user', one.name)
  }
  return touched
}

function everything(world: World): ReadonlySet<string> {
  const { sites, storages, productions, users, links } = world
  return new Set([
    'central everywhere',
    'central together',
    ...sites.flatMap(({ name, resources, nodes }) => [
      ...[`site ${name}`, ...resources.map((one) => `resource ${one}`), ...nodes.map((one) => `node ${one}`)],
    ]),
    ...storages.map(({ name }) => `storage ${name}`),
    ...productions.flatMap(({ name, release }) => [`production ${name}`, `release ${release}`]),
    ...users.map(({ name }) => `user ${name}`),
    ...links.map(({ source, destination }) => `link ${source} → ${destination}`),
  ])
}

/**
 * Kinds of incidents for which somebody else is better: of a higher quality than ours by one or the other precision. Which
 * precision: of all episodes those that were the first to tell of an incident, as detections of objects are judged
 * (Everingham et al., IJCV 88 (2010), 4.2: of several detections of one object all but one are false), or all those that
 * are about an incident, be it the eleventh alarm.
 */
export function beatenBy(ours: Score, theirs: Score, precision: Precision = 'newPrecision'): Kind[] {
  return HARMFUL.filter((kind) => {
    const of = (score: Score) => qualityOf(score.kinds.find((one) => one.kind === kind)!, score[precision])
    return of(ours) < of(theirs)
  })
}

export type Precision = 'newPrecision' | 'precision'

/** Recall of a kind and the precision of all together (F1): which of them an episode is about shows itself only later. */
export function qualityOf(kind: KindScore, precision: number): number {
  const recall = kind.found / kind.incidents
  return recall + precision > 0 ? (2 * recall * precision) / (recall + precision) : 0
}

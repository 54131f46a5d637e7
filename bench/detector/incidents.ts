import { type Rng, seededRng } from '../../src/kernel/ports.ts'
import { type Entity, linkName } from '../../src/operations/detection/index.ts'
import { between, pick, type Site, type World } from './world.ts'

export const HARMFUL = [
  'submission',
  'storage down',
  'storage full',
  'some nodes',
  'black hole',
  'network cut',
  'slow link',
  'database',
  'bad release',
  'bad production',
  'bad script',
  'credential',
  'clock',
  'shared storage',
] as const
export const BENIGN = ['idle', 'downtime'] as const
export type Kind = (typeof HARMFUL)[number] | (typeof BENIGN)[number]

/** What went wrong, from which bin to which, and what a person should have been told. */
export interface Incident {
  readonly kind: Kind
  readonly from: number
  readonly to: number
  /** How much of what it touches fails. */
  readonly share: number
  /** It comes and goes: bins on, bins off; null: it stays. */
  readonly rhythm: readonly [on: number, off: number] | null
  /** The names of what it touches, by what they are. */
  readonly sites: readonly string[]
  readonly storage: string | null
  readonly resource: string | null
  readonly nodes: readonly string[]
  readonly link: readonly [source: string, destination: string] | null
  readonly release: string | null
  readonly production: string | null
  readonly user: string | null
  /** A card about one of them names the cause. */
  readonly blame: readonly Entity[]
}

const site = (name: string): Entity => ({ kind: 'site', name })
const BINS_OF_HOUR = 6

const NOTHING = {
  ...{ sites: [], storage: null, resource: null, nodes: [], link: null },
  ...{ release: null, production: null, user: null, rhythm: null },
}

type Body = Omit<Incident, 'kind' | 'from' | 'to' | 'rhythm'>

/** The parts of an incident that depend on its kind. Shares reach from a quarter to all. */
function bodyOf(kind: Kind, world: World, rng: Rng): Body {
  const any = pick(rng, world.sites)
  const storage = pick(rng, world.storages)
  switch (kind) {
    case 'submission': {
      const resource = pick(rng, any.resources)
      const blame: Entity[] = [site(any.name), { kind: 'resource', name: resource }]
      return { ...NOTHING, sites: [any.name], resource, share: between(rng, 0.7, 1), blame }
    }
    case 'storage down':
    case 'storage full':
      return storageBody(storage.name, storage.site, between(rng, 0.8, 1))
    case 'shared storage': {
      const shared = pick(
        rng,
        world.storages.filter(({ sharedBy }) => sharedBy.length >= 3),
      )
      return storageBody(shared.name, shared.site, between(rng, 0.45, 0.8))
    }
    case 'some nodes': {
      const large = pick(
        rng,
        world.sites.filter(({ nodes }) => nodes.length >= 5),
      )
      const n = Math.max(2, Math.round(large.nodes.length * between(rng, 0.25, 0.5)))
      const nodes = shuffled(rng, large.nodes).slice(0, n)
      const blame = [site(large.name), ...nodes.map((name): Entity => ({ kind: 'node', name }))]
      return { ...NOTHING, sites: [large.name], nodes, share: between(rng, 0.7, 1), blame }
    }
    case 'black hole': {
      const node = pick(rng, any.nodes)
      const blame: Entity[] = [site(any.name), { kind: 'node', name: node }]
      return { ...NOTHING, sites: [any.name], nodes: [node], share: between(rng, 0.9, 1), blame }
    }
    case 'network cut':
      return { ...NOTHING, sites: [any.name], share: between(rng, 0.8, 1), blame: blameSite(any) }
    case 'clock':
      return { ...NOTHING, sites: [any.name], share: between(rng, 0.3, 0.6), blame: blameSite(any) }
    case 'slow link': {
      const busy = [...world.links].sort((a, b) => b.perBin - a.perBin).slice(0, 40)
      const { source, destination } = pick(rng, busy)
      const blame: Entity[] = [{ kind: 'link', name: linkName(source, destination) }]
      return { ...NOTHING, link: [source, destination], share: between(rng, 0.4, 0.8), blame }
    }
    case 'database':
      return { ...NOTHING, share: between(rng, 0.4, 0.9), blame: [{ kind: 'central', name: 'everywhere' }] }
    case 'credential': {
      const n = 6 + Math.floor(rng.next() * 8)
      const sites = shuffled(rng, world.sites)
        .slice(0, n)
        .map(({ name }) => name)
      // Nobody can name it from outside; many at once is what there is to say.
      return {
        ...NOTHING,
        sites,
        share: between(rng, 0.5, 0.9),
        blame: [{ kind: 'central', name: 'together' }],
      }
    }
    case 'bad release': {
      const release = pick(rng, world.productions).release
      const made = world.productions.filter((one) => one.release === release)
      const blame: Entity[] = [
        { kind: 'release', name: release },
        ...made.map(({ name }) => production(name)),
      ]
      return { ...NOTHING, release, share: between(rng, 0.4, 1), blame }
    }
    case 'bad production': {
      const { name } = pick(rng, world.productions)
      return { ...NOTHING, production: name, share: between(rng, 0.4, 1), blame: [production(name)] }
    }
    case 'bad script': {
      const user = pick(rng, world.users.slice(0, 25)).name
      return { ...NOTHING, user, share: between(rng, 0.6, 1), blame: [{ kind: 'user', name: user }] }
    }
    case 'idle':
      return { ...NOTHING, share: between(rng, 0.85, 0.95), blame: [] }
    case 'downtime':
      return { ...NOTHING, sites: [any.name], share: 1, blame: [] }
  }
}

const production = (name: string): Entity => ({ kind: 'production', name })
const blameSite = ({ name, resources, home }: Site): Entity[] => [
  site(name),
  ...resources.map((resource): Entity => ({ kind: 'resource', name: resource })),
  // Its own storage cannot be reached either.
  ...(home === `${name}-disk` ? [{ kind: 'storage', name: home } as const] : []),
]

const storageBody = (storage: string, at: string, share: number): Body => ({
  ...{ ...NOTHING, storage, sites: [at], share },
  blame: [{ kind: 'storage', name: storage }],
})

function shuffled<T>(rng: Rng, all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, key: rng.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ one }) => one)
}

function hoursOf(kind: Kind, rng: Rng): number {
  if (kind === 'database') return between(rng, 1.5, 4)
  if (kind === 'idle') return between(rng, 4, 9)
  // Median six hours; nothing shorter than two, nothing longer than a day.
  return Math.min(24, Math.max(2, 6 * Math.exp(0.6 * (rng.next() + rng.next() + rng.next() - 1.5) * 2)))
}

/** `each` incidents of each kind at random moments; only those at the same place keep apart, or all of the grid. */
export function makeIncidents(world: World, seed: number, each: number, bins: number): Incident[] {
  const rng = seededRng(seed)
  const all: Incident[] = []
  for (const kind of [...HARMFUL, ...BENIGN]) {
    for (let i = 0; i < each; i++) {
      for (let tries = 0; ; tries++) {
        const length = Math.round(BINS_OF_HOUR * hoursOf(kind, rng))
        const from = 36 + Math.floor(rng.next() * (bins - 48 - length))
        const steady = kind === 'database' || kind === 'idle' || kind === 'downtime' || rng.next() < 0.85
        const rhythm = steady
          ? null
          : ([3 + Math.floor(rng.next() * 5), 1 + Math.floor(rng.next() * 4)] as const)
        const incident = { kind, from, to: from + length, ...bodyOf(kind, world, rng), rhythm }
        if (tries > 500) throw new Error(`No room for ${each} incidents of each kind in ${bins} bins.`)
        if (all.some((other) => collide(incident, other))) continue
        all.push(incident)
        break
      }
    }
  }
  return all.sort((a, b) => a.from - b.from)
}

const WIDE: readonly Kind[] = ['database', 'credential']
const APART = 18

/** The same place, release or person twice at once would be one incident to everybody. */
function collide(a: Incident, b: Incident): boolean {
  if (a.from > b.to + APART || b.from > a.to + APART) return false
  if (a.kind === b.kind && a.kind === 'idle') return true
  if (WIDE.includes(a.kind) && WIDE.includes(b.kind)) return true
  const named = ({ sites, storage, release, production: prod, user, link }: Incident) => [
    ...(link ?? []),
    ...[...sites, storage, release, prod, user].filter((name) => name !== null),
  ]
  const others = new Set(named(b))
  return named(a).some((name) => others.has(name))
}

/** Whether it does harm in a bin. */
export function isActive({ from, to, rhythm }: Incident, bin: number): boolean {
  if (bin < from || bin >= to) return false
  return !rhythm || (bin - from) % (rhythm[0] + rhythm[1]) < rhythm[0]
}

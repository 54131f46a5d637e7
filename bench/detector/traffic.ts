import { type Rng, seededRng } from '../../src/kernel/ports.ts'
import {
  BIN_MS,
  type Bin,
  type ErrorCount,
  type JobFact,
  linkName,
} from '../../src/operations/detection/index.ts'
import { type Harm, harmOf, type Work } from './harm.ts'
import type { Incident } from './incidents.ts'
import {
  between,
  draw,
  JOBS_PER_SLOT_AND_BIN,
  normal,
  pick,
  poisson,
  sumsOf,
  USER_SHARE,
  type World,
} from './world.ts'

export const START = Date.parse('2026-03-02T00:00:00Z')
export const startOf = (bin: number): Date => new Date(START + bin * BIN_MS)

/** What happened in one bin. */
export interface Slice {
  readonly bin: number
  readonly harm: Harm
  readonly bins: readonly Bin[]
  readonly jobs: readonly JobFact[]
  readonly transfers: readonly JobFact[]
  readonly running: ReadonlyMap<string, number>
  /** The last submission of each resource: whether it worked. */
  readonly submitted: ReadonlyMap<string, boolean>
  /** As the tests of this bin found them: differences of the clocks of sites, ms. */
  readonly clocks: ReadonlyMap<string, number>
  readonly slowLinks: ReadonlySet<string>
}

const FLAKY = 0.03
const PILOT_FAILS = 0.03
const TRANSFER_FAILS = 0.02
const CLOCK_NOISE_MS = 100
/** Of all sites and bins: a moment of trouble that is over before anybody could look. */
const HICCUP = 0.0006
const BATCHES_PER_BIN = 6 / 144
const DAY_BINS = 144

/** How much of the usual work there is: nights and weekends are quieter, for users more than for productions. */
export function loadOf(bin: number): { production: number; user: number } {
  const hour = (bin % DAY_BINS) / 6
  const wave = Math.sin(((hour - 9) / 24) * 2 * Math.PI)
  const weekend = Math.floor(bin / DAY_BINS) % 7 >= 5
  return { production: 0.9 + 0.1 * wave, user: (weekend ? 0.6 : 1) * (0.65 + 0.35 * wave) }
}

/** All randomness of a bin and a place comes from its own seed: what is shut out here changes nothing there. */
const rngOf = (seed: number, bin: number, place: number): Rng =>
  seededRng(
    (Math.imul(seed, 0x9e3779b1) ^ Math.imul(bin + 1, 0x85ebca6b) ^ Math.imul(place + 1, 0xc2b2ae35)) >>> 0,
  )

export interface Traffic {
  /** `share`: the part of its slots that a site is allowed to use. `only`: of these sites alone, and no transfers. */
  slice(bin: number, share: (site: string) => number, only?: ReadonlySet<string>): Slice
}

export function makeTraffic(world: World, incidents: readonly Incident[], seed: number): Traffic {
  const productionSums = sumsOf(world.productions.map(({ weight }) => weight))
  const userSums = sumsOf(world.users.map(({ weight }) => weight))
  const whole = world.sites.reduce((sum, { slots }) => sum + slots, 0)

  function usual(rng: Rng): Omit<Work, 'site' | 'node' | 'output'> & { failing: number } {
    if (rng.next() < USER_SHARE) {
      const { name, release, inputs, failing } = world.users[draw(rng, userSums)]!
      return { user: name, production: null, release, input: pick(rng, inputs), failing }
    }
    const { name, release, inputs, failing } = world.productions[draw(rng, productionSums)]!
    const input = inputs.length > 0 ? pick(rng, inputs) : null
    return { user: null, production: name, release, input, failing }
  }

  return {
    slice(bin, share, only) {
      const start = startOf(bin)
      const harm = harmOf(world, incidents, bin)
      const load = loadOf(bin)
      const bins: Bin[] = []
      const jobs: JobFact[] = []
      const running = new Map<string, number>()
      const submitted = new Map<string, boolean>()
      const clocks = new Map<string, number>()
      const moods = moodsOf(world, seed, bin)
      const scripts = harm.active.filter(({ kind }) => kind === 'bad script')
      const batch = batchOf(world, seed, bin) ?? batchOf(world, seed, bin - 1)

      for (const [place, site] of world.sites.entries()) {
        if (only && !only.has(site.name)) continue
        const rng = rngOf(seed, bin, place)
        const { name, slots, nodes, resources, home, offset } = site
        const within = [{ kind: 'site', name } as const]
        const entity = within[0]!
        const hiccup = rng.next() < HICCUP ? between(rng, 0.6, 1) : 0
        const mood = site.failing * Math.exp(0.5 * normal(rng))
        const presence = harm.presence(name)
        const level = (1 - USER_SHARE) * load.production + USER_SHARE * load.user
        running.set(name, Math.round(0.9 * slots * level * presence * share(name) * (1 + 0.05 * normal(rng))))
        const expected = slots * JOBS_PER_SLOT_AND_BIN * level * presence * share(name)
        let n = 0
        let failed = 0
        const add = (work: Omit<Work, 'site' | 'output'>, failing: number) => {
          const full: Work = { ...work, site: name, output: home }
          const { chance, by } = harm.job(full)
          const bad = rng.next() < 1 - (1 - failing) * (1 - mood) * (1 - chance) * (1 - hiccup)
          const error = bad ? messageOf(rng, rng.next() < chance ? by : null, full) : null
          n++
          if (bad) failed++
          jobs.push(factOf(full, resources[n % resources.length]!, start, error))
        }
        for (let left = poisson(rng, expected); left > 0; left--) {
          const { failing, ...work } = usual(rng)
          const moodOfUser = work.user === null ? 1 : (moods.get(work.user) ?? 1)
          add({ ...work, node: pick(rng, nodes) }, Math.min(0.35, failing * moodOfUser))
        }
        for (const { user, from } of scripts) {
          // Sent in one go: the more slots, the more of it.
          const { release, inputs } = world.users.find((one) => one.name === user)!
          const mean = bin < from ? 0 : (40 * slots * share(name)) / whole
          for (let left = poisson(rng, mean); left > 0; left--) {
            add({ user, production: null, release, input: pick(rng, inputs), node: pick(rng, nodes) }, 0.05)
          }
        }
        for (const {
          kind,
          sites,
          nodes: [node],
        } of harm.active) {
          if (kind !== 'black hole' || sites[0] !== name) continue
          for (let left = poisson(rng, 20 * share(name)); left > 0; left--) {
            const { failing, ...work } = usual(rng)
            add({ ...work, node: node! }, failing)
          }
        }
        if (batch?.sites.includes(name)) {
          const { name: user, release, inputs } = batch.user
          for (let left = poisson(rng, batch.jobs / 2 / batch.sites.length); left > 0; left--) {
            add({ user, production: null, release, input: inputs[0]!, node: pick(rng, nodes) }, 0.97)
          }
        }
        if (n > 0) bins.push({ entity, start, measure: 'jobs', n, failed })

        let pilots = 0
        let pilotsFailed = 0
        for (const resource of resources) {
          const chance = 1 - (1 - PILOT_FAILS) * (1 - harm.pilot(name, resource)) * (1 - hiccup / 2)
          const some = poisson(rng, expected / 2 / resources.length)
          let bad = 0
          for (let left = some; left > 0; left--) if (rng.next() < chance) bad++
          if (some > 0) {
            submitted.set(resource, bad < some)
            const of = { kind: 'resource', name: resource } as const
            bins.push({ entity: of, within, start, measure: 'pilots', n: some, failed: bad })
          }
          pilots += some
          pilotsFailed += bad
        }
        if (pilots > 0) bins.push({ entity, start, measure: 'pilots', n: pilots, failed: pilotsFailed })

        if ((bin + offset) % 3 !== 0) continue
        const tests = [0, 1, 2].filter(
          (t) => rng.next() < 1 - (1 - FLAKY) * (1 - harm.siteTest(name, t)) * (1 - hiccup),
        )
        bins.push({ entity, start, measure: 'tests', n: 3, failed: tests.length })
        clocks.set(name, harm.clock(name) + CLOCK_NOISE_MS * normal(rngOf(seed, bin, 1000 + place)))
        if (home !== `${name}-disk`) continue
        const storage = { kind: 'storage', name: home } as const
        const probes = [0, 1, 2].filter((t) => rng.next() < 1 - (1 - FLAKY) * (1 - harm.storageTest(home, t)))
        bins.push({ entity: storage, within, start, measure: 'tests', n: 3, failed: probes.length })
      }
      const { transfers, bins: moved } = only
        ? { transfers: [], bins: [] }
        : transfersOf(world, harm, rngOf(seed, bin, 997), start, load.production)
      const slowLinks = new Set(
        harm.active.flatMap(({ kind, link }) => (kind === 'slow link' ? linkName(...link!) : [])),
      )
      return {
        ...{ bin, harm, bins: [...bins, ...moved], jobs, transfers },
        ...{ running, submitted, clocks, slowLinks },
      }
    },
  }
}

function factOf(work: Work, resource: string, start: Date, error: ErrorCount | null): JobFact {
  const attributes: Record<string, string> = {
    ...{ site: work.site, resource, node: work.node, release: work.release },
    'output storage': work.output,
  }
  if (work.input !== null) attributes['input storage'] = work.input
  if (work.production !== null) attributes.production = work.production
  if (work.user !== null) attributes.user = work.user
  return error
    ? { attributes, start, n: 1, failed: 1, errors: [error] }
    : { attributes, start, n: 1, failed: 0 }
}

function messageOf(rng: Rng, by: Incident | null, { site, input, output, node }: Work): ErrorCount {
  const n = Math.floor(1e6 * rng.next())
  const text = (() => {
    switch (by?.kind) {
      case 'storage down':
      case 'shared storage':
        return `cannot connect to https://${by.storage}.example.org:8443/data/f${n}.root: timeout after 60 s`
      case 'storage full':
        return `PUT https://${output}.example.org/data/f${n}.root answered 507: no space left`
      case 'bad release':
      case 'bad production':
        return `Segmentation fault in module Tracking at event ${n}`
      case undefined:
        return `payload ended with ${1 + (n % 4)}`
      default:
        return `cannot read /srv/jobs/${n}/input (${input ?? 'none'}) on ${node}.${site}.example.org`
    }
  })()
  return { text, n: 1 }
}

/** Once in a while somebody's jobs fail three times as often for an hour. */
function moodsOf(world: World, seed: number, bin: number): ReadonlyMap<string, number> {
  const rng = rngOf(seed, Math.floor(bin / 6), 998)
  return new Map(world.users.map(({ name }) => [name, rng.next() < 0.05 ? 3 : 1]))
}

/** Few jobs that cannot work, tried by somebody at some sites: nobody else's business. */
function batchOf(world: World, seed: number, bin: number) {
  const rng = rngOf(seed, bin, 999)
  if (rng.next() >= BATCHES_PER_BIN) return null
  const sites = Array.from({ length: 1 + Math.floor(4 * rng.next()) }, () => pick(rng, world.sites).name)
  return { user: pick(rng, world.users), jobs: between(rng, 8, 25), sites }
}

function transfersOf(world: World, harm: Harm, rng: Rng, start: Date, load: number) {
  const transfers: JobFact[] = []
  const links: Bin[] = []
  const counts = new Map(world.storages.map(({ name }) => [name, { n: 0, failed: 0 }]))
  for (const { source, destination, perBin } of world.links) {
    const n = poisson(rng, perBin * load)
    if (n === 0) continue
    const chance =
      1 - (1 - TRANSFER_FAILS * Math.exp(0.5 * normal(rng))) * (1 - harm.transfer(source, destination))
    let failed = 0
    for (let left = n; left > 0; left--) if (rng.next() < chance) failed++
    transfers.push({ attributes: { source, destination }, start, n, failed })
    const ends = [source, destination].map((name) => ({ kind: 'storage', name }) as const)
    const entity = { kind: 'link', name: linkName(source, destination) } as const
    links.push({ entity, within: ends, start, measure: 'transfers', n, failed })
    for (const end of [source, destination]) {
      const count = counts.get(end)!
      count.n += n
      count.failed += failed
    }
  }
  const bins = world.storages.flatMap(({ name, site }): Bin[] => {
    const { n, failed } = counts.get(name)!
    if (n === 0) return []
    const entity = { kind: 'storage', name } as const
    return [{ entity, within: [{ kind: 'site', name: site }], start, measure: 'transfers', n, failed }]
  })
  return { transfers, bins: [...bins, ...links] }
}

import { type Rng, seededRng } from '../../src/kernel/ports.ts'
import { type Bin, type ErrorCount, type JobFact, linkName } from '../../src/operations/detection/index.ts'
import { type Harm, harmOf, type Work } from './harm.ts'
import type { Incident } from './incidents.ts'
import { NEW_PLACE, type Place, type Submission, submit } from './submissions.ts'
import { makeTests } from './tests.ts'
import { type Moved, makeTransfers } from './transfers.ts'
import {
  between,
  draw,
  JOBS_PER_SLOT_AND_BIN,
  normal,
  pick,
  poisson,
  startOf,
  sumsOf,
  USER_SHARE,
  type World,
} from './world.ts'

/** What happened in one bin. */
export interface Slice {
  readonly bin: number
  readonly harm: Harm
  readonly bins: readonly Bin[]
  readonly jobs: readonly JobFact[]
  readonly transfers: readonly JobFact[]
  readonly running: ReadonlyMap<string, number>
  /** Submissions of pilots by resource, oldest first. */
  readonly submitted: ReadonlyMap<string, readonly Submission[]>
  /** As the tests of this bin found them: differences of the clocks of sites, ms. */
  readonly clocks: ReadonlyMap<string, number>
  readonly slowLinks: ReadonlySet<string>
  /** Failures of transfers by whose they are, by link. */
  readonly failedAt: Moved['failedAt']
}

const PILOT_FAILS = 0.03
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

/**
 * All randomness of a bin and a place comes from its own seed: what is shut out here changes nothing there. Only pilots
 * and transfers that failed before are remembered.
 */
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

  const tests = makeTests(world)
  const transfers = makeTransfers(world)
  const places = new Map<string, Place>()
  /** Those that nothing was ever taken from, for who looks at a grid without exclusions. */
  const openPlaces = new Map<string, Place>()

  return {
    slice(bin, share, only) {
      const start = startOf(bin)
      const harm = harmOf(world, incidents, bin)
      const load = loadOf(bin)
      const bins: Bin[] = []
      const jobs: JobFact[] = []
      const running = new Map<string, number>()
      const submitted = new Map<string, readonly Submission[]>()
      const hiccups = new Map<string, number>()
      const waiting = !harm.active.some(({ kind }) => kind === 'idle')
      const moods = moodsOf(world, seed, bin)
      const scripts = harm.active.filter(({ kind }) => kind === 'bad script')
      const batch = batchOf(world, seed, bin) ?? batchOf(world, seed, bin - 1)

      for (const [place, site] of world.sites.entries()) {
        if (only && !only.has(site.name)) continue
        const rng = rngOf(seed, bin, place)
        const { name, slots, nodes, resources, home } = site
        const within = [{ kind: 'site', name } as const]
        const entity = within[0]!
        const hiccup = rng.next() < HICCUP ? between(rng, 0.6, 1) : 0
        hiccups.set(name, hiccup)
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
          const wanted = poisson(rng, expected / 2 / resources.length)
          const known = (only ? openPlaces : places).get(resource) ?? NEW_PLACE
          const { place: after, tries } = submit(rng, known, { bin, wanted, chance, waiting })
          if (!only) places.set(resource, after)
          if (only || share(name) === 1) openPlaces.set(resource, after)
          if (tries.length === 0) continue
          submitted.set(resource, tries)
          const bad = tries.filter(({ ok }) => !ok).length
          const of = { kind: 'resource', name: resource } as const
          bins.push({ entity: of, within, start, measure: 'pilots', n: tries.length, failed: bad })
          pilots += tries.length
          pilotsFailed += bad
        }
        if (pilots > 0) bins.push({ entity, start, measure: 'pilots', n: pilots, failed: pilotsFailed })
      }
      // Whoever looks at some sites without what was shut out there sees neither tests nor transfers.
      const tested = only ? NO_TESTS : tests(rngOf(seed, bin, 996), bin, harm, hiccups)
      const moved = only ? NOTHING_MOVED : transfers(rngOf(seed, bin, 997), bin, load.production, harm)
      const slowLinks = new Set(
        harm.active.flatMap(({ kind, link }) => (kind === 'slow link' ? linkName(...link!) : [])),
      )
      return {
        ...{ bin, harm, bins: [...bins, ...tested.bins, ...moved.bins], jobs, transfers: moved.transfers },
        ...{ running, submitted, clocks: tested.clocks, slowLinks, failedAt: moved.failedAt },
      }
    },
  }
}

const NO_TESTS: ReturnType<ReturnType<typeof makeTests>> = { bins: [], clocks: new Map() }
const NOTHING_MOVED: Moved = { transfers: [], bins: [], failedAt: new Map() }

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

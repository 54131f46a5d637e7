import { type Incident, isActive } from './incidents.ts'
import type { World } from './world.ts'

/** One job as the incidents see it. */
export interface Work {
  readonly site: string
  readonly node: string
  readonly output: string
  readonly input: string | null
  readonly release: string
  readonly production: string | null
  readonly user: string | null
}

/** What the incidents of one bin do: chances to fail that come on top of the usual ones. */
export interface Harm {
  readonly active: readonly Incident[]
  job(work: Work): { chance: number; by: Incident | null }
  pilot(site: string, resource: string): number
  /** Of the three tests of a site (job, ports, software) or of a storage (put, get, delete). */
  siteTest(site: string, n: number): number
  storageTest(storage: string, n: number): number
  transfer(source: string, destination: string): number
  /** How wrong the clock of a site is, ms. */
  clock(site: string): number
  /** Part of the usual work that there is: pilots that run. */
  presence(site: string): number
  /** Part of its jobs that fail for reasons of the site itself. */
  illness(site: string): number
}

const LONG_BINS = 24
/** What fails a third of the jobs is minutes: tokens and certificates that are not valid yet. */
const WRONG_CLOCK_MS = 300_000

export function harmOf(world: World, incidents: readonly Incident[], bin: number): Harm {
  const active = incidents.filter((one) => isActive(one, bin))
  const siteOf = new Map(world.storages.map(({ name, site }) => [name, site]))
  const worst = (of: (one: Incident) => number) => active.reduce((most, one) => Math.max(most, of(one)), 0)
  const at = (one: Incident, site: string) => one.sites.includes(site)

  function onJob(one: Incident, { site, node, output, input, release, production, user }: Work): number {
    const { kind, share } = one
    switch (kind) {
      case 'storage down':
      case 'shared storage':
        return output === one.storage ? share : input === one.storage ? 0.9 * share : 0
      case 'storage full':
        return output === one.storage ? share : 0
      case 'some nodes':
      case 'black hole':
        return one.nodes.includes(node) ? share : 0
      case 'network cut':
      case 'clock':
      case 'credential':
        return at(one, site) ? share : 0
      case 'downtime':
        return at(one, site) ? 1 : one.sites.includes(siteOf.get(input ?? '') ?? '') ? 0.6 : 0
      case 'database':
        return share
      case 'bad release':
        return release === one.release ? share : 0
      case 'bad production':
        return production === one.production ? share : 0
      case 'bad script':
        return user === one.user ? share : 0
      default:
        return 0
    }
  }

  function onTransfer(one: Incident, source: string, destination: string): number {
    const { kind, share, storage } = one
    const touches = (site: string | undefined) => site !== undefined && one.sites.includes(site)
    const ends = touches(siteOf.get(source)) || touches(siteOf.get(destination))
    if (kind === 'storage down' || kind === 'shared storage') {
      return source === storage || destination === storage ? share : 0
    }
    if (kind === 'storage full') return destination === storage ? share : 0
    if (kind === 'slow link') return one.link![0] === source && one.link![1] === destination ? share : 0
    if (kind === 'network cut' || kind === 'downtime') return ends ? 0.95 : 0
    if (kind === 'credential') return ends ? 0.6 * share : 0
    return kind === 'database' ? 0.4 * share : 0
  }

  return {
    active,
    job(work) {
      let good = 1
      let by: Incident | null = null
      let most = 0
      for (const one of active) {
        const chance = onJob(one, work)
        good *= 1 - chance
        if (chance > most) {
          most = chance
          by = one
        }
      }
      return { chance: 1 - good, by }
    },
    pilot: (site, resource) =>
      worst((one) => {
        if (one.kind === 'submission') return one.resource === resource ? one.share : 0
        if (one.kind === 'database') return one.share / 2
        const touched = one.kind === 'network cut' || one.kind === 'credential' || one.kind === 'downtime'
        return touched && at(one, site) ? 0.9 * one.share : 0
      }),
    siteTest: (site, n) =>
      worst((one) => {
        if (one.kind === 'database') return n === 0 ? 0.7 * one.share : 0
        if (!at(one, site)) return 0
        if (one.kind === 'submission') return n === 0 ? one.share : 0
        if (one.kind === 'some nodes') return n === 0 ? 0.3 * one.share : 0
        if (one.kind === 'black hole') return n === 0 ? 0.5 : 0
        if (one.kind === 'clock') return 0.7 * one.share
        return one.kind === 'network cut' || one.kind === 'credential' || one.kind === 'downtime'
          ? one.share
          : 0
      }),
    storageTest: (storage, n) =>
      worst((one) => {
        if (one.kind === 'storage full') return one.storage === storage && n !== 1 ? one.share : 0
        if (one.kind === 'storage down' || one.kind === 'shared storage') {
          return one.storage === storage ? one.share : 0
        }
        const cut = one.kind === 'network cut' || one.kind === 'downtime'
        return cut && at(one, siteOf.get(storage)!) ? one.share : 0
      }),
    transfer: (source, destination) => worst((one) => onTransfer(one, source, destination)),
    clock: (site) => worst((one) => (one.kind === 'clock' && at(one, site) ? WRONG_CLOCK_MS * one.share : 0)),
    presence: (site) =>
      active.reduce((left, one) => {
        if (one.kind === 'idle') return left * (1 - one.share)
        if (!at(one, site)) return left
        if (one.kind === 'submission') return left * Math.exp(-(bin - one.from) / LONG_BINS)
        return one.kind === 'network cut' ? left * 0.5 : one.kind === 'downtime' ? left * 0.2 : left
      }, 1),
    illness: (site) => {
      const { nodes, home } = world.sites.find(({ name }) => name === site)!
      // What comes and goes is ill all the time: nobody would give it work for the minutes in between.
      const lasting = incidents.filter(({ from, to }) => from <= bin && bin < to)
      return lasting.reduce((most, one) => Math.max(most, illnessBy(one)), 0)

      function illnessBy(one: Incident): number {
        if (one.storage !== null) return one.storage === home && siteOf.get(home) === site ? one.share : 0
        if (!at(one, site)) return 0
        if (one.kind === 'some nodes') return (one.share * one.nodes.length) / nodes.length
        return one.kind === 'submission' ? 0 : one.share
      }
    },
  }
}

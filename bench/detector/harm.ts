import type { FailureClass, Party } from '../../src/transfer/classify.ts'
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
  siteTest(site: string, test: 'job' | 'port'): number
  storageTest(storage: string, step: string): number
  transfer(source: string, destination: string): TransferHarm
  /** How wrong the clock of a site is, ms. */
  clock(site: string): number
  /** Part of the usual work that there is: pilots that run. */
  presence(site: string): number
  /** Part of its jobs that fail for reasons of the site itself. */
  illness(site: string): number
}

/** What makes an attempt of a transfer fail: on which side, and what that means for the next one. */
export interface TransferHarm {
  readonly chance: number
  readonly party: Party
  readonly failure: FailureClass
}

const WELL: TransferHarm = { chance: 0, party: 'transfer', failure: 'retry' }
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

  function onTransfer(one: Incident, source: string, destination: string): TransferHarm {
    const { kind, share, storage } = one
    const touches = (name: string) => one.sites.includes(siteOf.get(name) ?? '')
    const side = touches(source) ? 'source' : touches(destination) ? 'destination' : null
    if (storage !== null) {
      if (storage !== destination && (storage !== source || kind === 'storage full')) return WELL
      const failure = kind === 'storage full' ? 'fatal' : 'away'
      return { chance: share, party: storage === source ? 'source' : 'destination', failure }
    }
    if (kind === 'slow link') {
      const own = one.link![0] === source && one.link![1] === destination
      return own ? { chance: share, party: 'transfer', failure: 'retry' } : WELL
    }
    if (kind === 'database') return { chance: 0.4 * share, party: 'transfer', failure: 'retry' }
    if (side === null) return WELL
    if (kind === 'network cut' || kind === 'downtime') return { chance: 0.95, party: side, failure: 'away' }
    return kind === 'credential' ? { chance: 0.6 * share, party: side, failure: 'retry' } : WELL
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
    // As long as pilots run at a site they take the test job, also when no other one can be started.
    siteTest: (site, test) =>
      worst((one) => {
        const { kind, share } = one
        if (kind === 'database') return test === 'job' ? 0.7 * share : 0
        if (!at(one, site)) return 0
        if (kind === 'some nodes') return test === 'job' ? 0.3 * share : 0
        if (kind === 'black hole') return test === 'job' ? 0.5 : 0
        if (kind === 'clock') return 0.7 * share
        return kind === 'network cut' || kind === 'credential' ? share : 0
      }),
    storageTest: (storage, step) =>
      worst(({ kind, share, storage: ill, sites }) => {
        if (kind === 'storage full') return ill === storage && step === 'put' ? share : 0
        if (kind === 'storage down' || kind === 'shared storage') return ill === storage ? share : 0
        return kind === 'network cut' && sites.includes(siteOf.get(storage)!) ? share : 0
      }),
    transfer: (source, destination) =>
      active.reduce((most, one) => {
        const harm = onTransfer(one, source, destination)
        return harm.chance > most.chance ? harm : most
      }, WELL),
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

import type { Rng } from '../../src/kernel/ports.ts'
import { BIN_MS, type Bin, type Entity } from '../../src/operations/detection/index.ts'
import type { Harm } from './harm.ts'
import { startOf, type World } from './world.ts'

const EVERY_MS = 1_800_000
const JITTER = 1 / 6
const REPEAT_MS = 300_000
/** A clock that is further away fails its test. */
const CLOCK_MS = 30_000
const CLOCK_NOISE_MS = 100
const FLAKY = 0.03
const STORAGE_STEPS = ['put', 'get', 'checksum', 'list', 'delete'] as const

type Target = { kind: 'door' | 'job' | 'storage'; entity: Entity; site: string }

/**
 * Active tests as a grid makes them: of the door, a job and the storage of each site every half an hour or so, each with its
 * own times. What fails is repeated after five minutes and counts only when it fails then, too; without a door there is no
 * clock, and a storage that takes no file is asked no more. None at sites that are declared to be away.
 */
export function makeTests(world: World) {
  const targets = world.sites.flatMap(({ name, home }): Target[] => {
    const site = { kind: 'site', name } as const
    const own = { kind: 'storage', name: home } as const
    return [
      { kind: 'door', entity: site, site: name },
      { kind: 'job', entity: site, site: name },
      ...(home === `${name}-disk` ? [{ kind: 'storage' as const, entity: own, site: name }] : []),
    ]
  })
  const next = new Map<Target, { at: number; again: boolean }>()

  return (rng: Rng, bin: number, harm: Harm, hiccups: ReadonlyMap<string, number>) => {
    const begin = startOf(bin).getTime()
    const end = begin + BIN_MS
    const bins: Bin[] = []
    const clocks = new Map<string, number>()
    const away = new Set(harm.active.flatMap(({ kind, sites }) => (kind === 'downtime' ? sites : [])))
    for (const target of targets) {
      const { kind, entity, site } = target
      let { at, again } = next.get(target) ?? { at: begin + EVERY_MS * rng.next(), again: false }
      let n = 0
      let failed = 0
      for (; at < end; ) {
        const soon = at + EVERY_MS * (1 + (2 * rng.next() - 1) * JITTER)
        const results = away.has(site) ? [] : made(target)
        const repeat: boolean = !again && results.includes(false)
        n += results.filter((ok) => ok || !repeat).length
        failed += repeat ? 0 : results.filter((ok) => !ok).length
        at = repeat ? at + REPEAT_MS : soon
        again = repeat
      }
      next.set(target, { at, again })
      if (n === 0) continue
      const within: readonly Entity[] = kind === 'storage' ? [{ kind: 'site', name: site }] : []
      bins.push({ entity, within, start: startOf(bin), measure: 'tests', n, failed })
    }
    return { bins: joined(bins), clocks }

    function made({ kind, entity, site }: Target): boolean[] {
      const hiccup = hiccups.get(site) ?? 0
      const works = (chance: number) => rng.next() >= 1 - (1 - FLAKY) * (1 - chance) * (1 - hiccup)
      if (kind === 'job') return [works(harm.siteTest(site, 'job'))]
      if (kind === 'storage') {
        if (!works(harm.storageTest(entity.name, 'put'))) return [false]
        return [true, ...STORAGE_STEPS.slice(1).map((step) => works(harm.storageTest(entity.name, step)))]
      }
      if (!works(harm.siteTest(site, 'port'))) return [false]
      const offsetMs = harm.clock(site) + CLOCK_NOISE_MS * (2 * rng.next() - 1)
      clocks.set(site, offsetMs)
      return [true, Math.abs(offsetMs) <= CLOCK_MS]
    }
  }
}

/** The door and the job of a site are one row. */
function joined(bins: readonly Bin[]): Bin[] {
  const all = new Map<string, Bin>()
  for (const bin of bins) {
    const key = `${bin.entity.kind} ${bin.entity.name}`
    const known = all.get(key)
    all.set(key, known ? { ...known, n: known.n + bin.n, failed: known.failed + bin.failed } : bin)
  }
  return [...all.values()]
}

import type { Rng } from '../../src/kernel/ports.ts'
import { BIN_MS, type Bin, type JobFact, linkName } from '../../src/operations/detection/index.ts'
import { nextTry, type Party } from '../../src/transfer/classify.ts'
import { isBroken } from '../../src/transfer/storage-health.ts'
import type { Harm } from './harm.ts'
import { normal, poisson, startOf, type World } from './world.ts'

const FAILS = 0.02
const PARTIES: readonly Party[] = ['source', 'destination', 'transfer']
const LIFETIME_MS = 7 * 86_400_000
/** How long a storage is left alone, ms: the first time, and at most. */
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 600_000

interface Waiting {
  at: number
  readonly source: string
  readonly destination: string
  readonly deadline: Date
  tries: { failures: number; waits: number }
}

interface Side {
  recent: { at: number; fault: boolean }[]
  pauseMs: number
  /** null: open. */
  blockedUntil: number | null
}

interface Count {
  n: number
  failed: number
  readonly failedAt: Record<Party, number>
}

export interface Moved {
  readonly transfers: readonly JobFact[]
  readonly bins: readonly Bin[]
  /** Whose the failures were, by link. */
  readonly failedAt: ReadonlyMap<string, Readonly<Record<Party, number>>>
}

/**
 * Transfers as the grid's own scheduler makes them: what fails is tried again after its pauses, up to eight times, while a
 * storage cannot be reached for longer; a storage that fails again and again is left alone for a while and then tried
 * with one transfer. An attempt takes no time. A storage is charged with what failed on its side only, a link with all.
 */
export function makeTransfers(world: World) {
  const sides = new Map<string, Side>()
  let waiting: Waiting[] = []
  const sideOf = (party: 'source' | 'destination', storage: string): Side => {
    const key = `${party} ${storage}`
    const known = sides.get(key) ?? { recent: [], pauseMs: 0, blockedUntil: null }
    sides.set(key, known)
    return known
  }

  return (rng: Rng, bin: number, load: number, harm: Harm): Moved => {
    const begin = startOf(bin).getTime()
    const end = begin + BIN_MS
    const moods = new Map<string, number>()
    const counts = new Map<string, Count & { source: string; destination: string }>()
    for (const { source, destination, perBin } of world.links) {
      moods.set(linkName(source, destination), FAILS * Math.exp(0.5 * normal(rng)))
      for (let left = poisson(rng, perBin * load); left > 0; left--) {
        const at = begin + BIN_MS * rng.next()
        waiting.push({
          ...{ at, source, destination, deadline: new Date(at + LIFETIME_MS) },
          tries: { failures: 0, waits: 0 },
        })
      }
    }
    const later: Waiting[] = []
    const due: Waiting[] = []
    const put = (one: Waiting) => {
      if (one.at >= end) return void later.push(one)
      let place = due.length
      while (place > 0 && due[place - 1]!.at < one.at) place--
      due.splice(place, 0, one)
    }
    for (const one of waiting.sort((a, b) => a.at - b.at)) put(one)
    // The last one is the next.
    for (let one = due.pop(); one; one = due.pop()) {
      const again = attempt(one)
      if (again) put(again)
    }
    waiting = later
    return summed(world, startOf(bin), [...counts.values()])

    /** What is to be tried again, and when. */
    function attempt(one: Waiting): Waiting | null {
      const { at, source, destination, deadline } = one
      const both = [sideOf('source', source), sideOf('destination', destination)]
      const blocked = Math.max(...both.map(({ blockedUntil }) => blockedUntil ?? 0))
      if (blocked > at) return { ...one, at: blocked + 1_000 * rng.next() }
      const link = linkName(source, destination)
      const count = counts.get(link) ?? {
        ...{ source, destination, n: 0, failed: 0 },
        failedAt: { source: 0, destination: 0, transfer: 0 },
      }
      counts.set(link, count)
      count.n++
      const { chance, party: ill, failure } = harm.transfer(source, destination)
      const harmed = rng.next() < chance
      if (!harmed && rng.next() >= moods.get(link)!) {
        for (const side of both) Object.assign(side, { blockedUntil: null, pauseMs: 0 })
        for (const side of both) seen(side, at, false)
        return null
      }
      const party = harmed ? ill : PARTIES[Math.floor(3 * rng.next())]!
      count.failed++
      count.failedAt[party]++
      if (party !== 'transfer') seen(sideOf(party, party === 'source' ? source : destination), at, true)
      const times = { now: new Date(at), deadline }
      const { tries, at: next } = nextTry(one.tries, harmed ? failure : 'retry', times, rng)
      return next ? { ...one, tries, at: next.getTime() } : null
    }
  }
}

function seen(side: Side, at: number, fault: boolean): void {
  if (fault && side.blockedUntil !== null) {
    side.pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * side.pauseMs)
    side.blockedUntil = at + side.pauseMs
    return
  }
  side.recent = [...side.recent, { at, fault }].slice(-10)
  if (!fault || !isBroken(side.recent, at)) return
  Object.assign(side, { recent: [], pauseMs: FIRST_PAUSE_MS, blockedUntil: at + FIRST_PAUSE_MS })
}

function summed(
  world: World,
  start: Date,
  counts: readonly (Count & { source: string; destination: string })[],
): Moved {
  const transfers: JobFact[] = []
  const links: Bin[] = []
  const storages = new Map(world.storages.map(({ name }) => [name, { n: 0, failed: 0 }]))
  for (const { source, destination, n, failed, failedAt } of counts) {
    transfers.push({ attributes: { source, destination }, start, n, failed })
    const within = [source, destination].map((name) => ({ kind: 'storage', name }) as const)
    const entity = { kind: 'link', name: linkName(source, destination) } as const
    links.push({ entity, within, start, measure: 'transfers', n, failed })
    for (const [name, own] of [
      [source, failedAt.source],
      [destination, failedAt.destination],
    ] as const) {
      const count = storages.get(name)!
      count.n += n
      count.failed += own
    }
  }
  const bins = world.storages.flatMap(({ name, site }): Bin[] => {
    const { n, failed } = storages.get(name)!
    if (n === 0) return []
    const entity = { kind: 'storage', name } as const
    return [{ entity, within: [{ kind: 'site', name: site }], start, measure: 'transfers', n, failed }]
  })
  const failedAt = new Map(
    counts.map(({ source, destination, failedAt: by }) => [linkName(source, destination), by]),
  )
  return { transfers, bins: [...bins, ...links], failedAt }
}

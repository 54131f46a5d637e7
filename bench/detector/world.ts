import { type Rng, seededRng } from '../../src/kernel/ports.ts'
import { BIN_MS } from '../../src/operations/detection/index.ts'

const START = Date.parse('2026-03-02T00:00:00Z')
export const startOf = (bin: number): Date => new Date(START + bin * BIN_MS)

/** A grid that does not exist: 57 sites of very different sizes, storages that several of them share, work of all kinds. */
export interface World {
  readonly sites: readonly Site[]
  readonly storages: readonly Storage[]
  readonly productions: readonly Production[]
  readonly users: readonly User[]
  /** Transfers of ten minutes by link, on average. */
  readonly links: readonly Link[]
}

export interface Site {
  readonly name: string
  readonly slots: number
  readonly nodes: readonly string[]
  readonly resources: readonly string[]
  /** Where its jobs write to: its own, or a neighbour's. */
  readonly home: string
  /** How often jobs fail there when all is well. */
  readonly failing: number
}

export interface Storage {
  readonly name: string
  readonly site: string
  readonly sharedBy: readonly string[]
  readonly fill: number
}

export interface Production {
  readonly name: string
  readonly release: string
  readonly weight: number
  readonly inputs: readonly string[]
  readonly failing: number
}

export interface User {
  readonly name: string
  readonly release: string
  readonly weight: number
  readonly inputs: readonly string[]
  readonly failing: number
}

export interface Link {
  readonly source: string
  readonly destination: string
  readonly perBin: number
}

export const SITES = 57
const STORAGES = 30
/** Hours that a job takes on average. */
const JOB_HOURS = 8
export const JOBS_PER_SLOT_AND_BIN = 1 / (JOB_HOURS * 6)
/** Of all jobs those of single users. */
export const USER_SHARE = 0.25

export function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next())
}

/** How many of a kind there are when there are `mean` of them on average. */
export function poisson(rng: Rng, mean: number): number {
  if (mean <= 0) return 0
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(rng)))
  const limit = Math.exp(-mean)
  let n = 0
  for (let product = rng.next(); product > limit; product *= rng.next()) n++
  return n
}

export const pick = <T>(rng: Rng, from: readonly T[]): T => from[Math.floor(rng.next() * from.length)]!
export const between = (rng: Rng, least: number, most: number): number => least + (most - least) * rng.next()

/** The i of a weighted list, given its sums. */
export function draw(rng: Rng, sums: readonly number[]): number {
  const at = rng.next() * sums.at(-1)!
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sums[middle]! > at) high = middle
    else low = middle + 1
  }
  return low
}

export function sumsOf(weights: readonly number[]): number[] {
  let sum = 0
  return weights.map((weight) => {
    sum += weight
    return sum
  })
}

export function makeWorld(seed: number): World {
  const rng = seededRng(seed)
  const sizes = Array.from({ length: SITES }, () =>
    Math.round(Math.min(3000, Math.max(20, Math.exp(5.3 + 1.1 * normal(rng))))),
  )
  sizes.sort((a, b) => b - a)
  const name = (i: number) => `site${String(i + 1).padStart(2, '0')}`
  // The large ones have storage; the others write to one of theirs.
  const home = sizes.map((_, i) => (i < STORAGES ? i : Math.floor(rng.next() ** 2 * STORAGES)))
  const storageName = (i: number) => `${name(i)}-disk`
  const sites = sizes.map((slots, i): Site => {
    const nodes = Array.from(
      { length: Math.min(40, 1 + Math.floor(slots / 64)) },
      (_, n) => `${name(i)}/wn${n}`,
    )
    const resources = rng.next() < 0.25 ? [`${name(i)}-ce1`, `${name(i)}-ce2`] : [`${name(i)}-ce1`]
    const failing = Math.min(0.08, Math.max(0.005, Math.exp(Math.log(0.025) + 0.6 * normal(rng))))
    return { name: name(i), slots, nodes, resources, home: storageName(home[i]!), failing }
  })
  const storages = Array.from(
    { length: STORAGES },
    (_, i): Storage => ({
      ...{ name: storageName(i), site: name(i), fill: between(rng, 0.4, 0.85) },
      sharedBy: sites.filter((one) => one.home === storageName(i)).map((one) => one.name),
    }),
  )
  const some = (n: number) => Array.from({ length: n }, () => pick(rng, storages).name)
  const productions = Array.from(
    { length: 9 },
    (_, i): Production => ({
      ...{ name: `prod${i + 1}`, release: `release${1 + (i % 4)}`, weight: Math.exp(0.7 * normal(rng)) },
      ...{ inputs: i % 3 === 0 ? [] : some(6), failing: between(rng, 0.002, 0.02) },
    }),
  )
  const users = Array.from(
    { length: 40 },
    (_, i): User => ({
      ...{
        name: `user${String(i + 1).padStart(2, '0')}`,
        release: `release${1 + Math.floor(rng.next() * 5)}`,
      },
      ...{ weight: 1 / (1 + i) ** 0.7, inputs: some(3), failing: between(rng, 0.01, 0.1) },
    }),
  )
  return { sites, storages, productions, users, links: linksOf(rng, storages) }
}

/** Much goes between few large storages, little between all. */
function linksOf(rng: Rng, storages: readonly Storage[]): Link[] {
  const weights = storages.map((_, i) => Math.exp(-i / 8 + 0.5 * normal(rng)))
  const links: Link[] = []
  for (const [a, source] of storages.entries()) {
    for (const [b, destination] of storages.entries()) {
      if (a !== b)
        links.push({ source: source.name, destination: destination.name, perBin: weights[a]! * weights[b]! })
    }
  }
  const all = links.reduce((sum, { perBin }) => sum + perBin, 0)
  return links.map((link) => ({ ...link, perBin: (150 * link.perBin) / all }))
}

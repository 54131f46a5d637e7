import { type Cause, type Entity, entityKey, type JobFact, linkName } from './types.ts'

/** One value of one attribute, and how its jobs ended. Counts shrink while causes are taken out. */
export interface Value {
  /** Its place in `values`, the more general attribute first, then by name; -1: too few failures to be there. */
  id: number
  readonly attribute: string
  readonly pair: boolean
  readonly order: number
  readonly entity: Entity
  readonly key: string
  readonly rows: number[]
  n: number
  failed: number
  allN: number
  allFailed: number
}

export interface Cube {
  readonly of: Cause['of']
  readonly values: readonly Value[]
  /** By attribute, in their order: every value that failed at all. */
  readonly single: readonly ReadonlyMap<string, Value>[]
  /** Values of each row by their ids. */
  readonly rowValues: number[][]
  readonly rowN: number[]
  readonly rowFailed: number[]
  /** Start of the row's bin, ms; NaN where it is not told. */
  readonly rowStart: number[]
  readonly taken: Uint8Array
  readonly ends: ReadonlyMap<string, readonly Entity[]>
  n: number
  failed: number
}

type Kind = Entity['kind']
/** What the attributes are, the more general first. */
export const KINDS: Readonly<Record<Cause['of'], readonly (readonly [attribute: string, kind: Kind])[]>> = {
  jobs: [
    ['site', 'site'],
    ['release', 'release'],
    ['production', 'production'],
    ['user', 'user'],
    // Storages have tests and transfers to speak against them as well.
    ['output storage', 'storage'],
    ['input storage', 'storage'],
    ['resource', 'resource'],
    ['node', 'node'],
  ],
  transfers: [
    ['destination', 'storage'],
    ['source', 'storage'],
    ['activity', 'activity'],
  ],
}
/** Pairs that are links; and users with anything: few jobs of one person are not the place's doing. */
const PAIRS: Readonly<Record<Cause['of'], readonly (readonly [from: string, to: string])[]>> = {
  jobs: [
    ['user', 'site'],
    ['user', 'input storage'],
    ['site', 'output storage'],
    ['input storage', 'site'],
  ],
  transfers: [['source', 'destination']],
}

/** Values with fewer failures are nobody's cause and cost nothing. */
const FEWEST = 3

/**
 * Counts by value of attribute; rows in the order given, which does not matter to what is found. Most rows are good, so
 * the failed ones say first which values are worth counting.
 */
export function cubeOf(of: Cause['of'], rows: readonly JobFact[]): Cube {
  const kinds = KINDS[of]
  const ends = new Map<string, readonly Entity[]>()
  const single = kinds.map(() => new Map<string, Value>())
  const pairs = PAIRS[of].map(([from, to]) => ({
    from: kinds.findIndex(([name]) => name === from),
    to: kinds.findIndex(([name]) => name === to),
    name: `${from} × ${to}`,
    values: new Map<Value, Map<Value, Value>>(),
  }))
  for (const { attributes, failed } of rows) {
    if (failed === 0) continue
    const found = kinds.map(([attribute, kind], a) => {
      const name = attributes[attribute]
      if (name === undefined) return undefined
      let value = single[a]!.get(name)
      if (!value) {
        value = blank(attribute, a, false, { kind, name })
        single[a]!.set(name, value)
      }
      value.allFailed += failed
      return value
    })
    for (const [p, pair] of pairs.entries()) {
      const from = found[pair.from]
      const to = found[pair.to]
      if (!from || !to) continue
      const tos = pair.values.get(from) ?? new Map<Value, Value>()
      pair.values.set(from, tos)
      let value = tos.get(to)
      if (!value) {
        value = blank(pair.name, kinds.length + p, true, entityOfPair(from, to))
        tos.set(to, value)
        if (value.entity.kind === 'link') ends.set(value.key, [from.entity, to.entity])
      }
      value.allFailed += failed
    }
  }
  const values = ranked([
    ...single.flatMap((one) => [...one.values()]),
    ...pairs.flatMap((pair) => [...pair.values.values()].flatMap((tos) => [...tos.values()])),
  ])
  const cube: Cube = {
    ...{ of, values, single, ends, n: 0, failed: 0 },
    ...{ rowValues: [], rowN: [], rowFailed: [], rowStart: [], taken: new Uint8Array(rows.length) },
  }
  const found: (Value | undefined)[] = []
  for (const [r, { attributes, start, n, failed }] of rows.entries()) {
    const ids: number[] = []
    for (let a = 0; a < kinds.length; a++) {
      const name = attributes[kinds[a]![0]]
      const value = name === undefined ? undefined : single[a]!.get(name)
      found[a] = value
      if (value && value.id >= 0) ids.push(value.id)
    }
    for (const { from, to, values: tos } of pairs) {
      // A pair has no more failures than each of its two.
      if (!found[from] || !found[to] || found[from].id < 0 || found[to].id < 0) continue
      const value = tos.get(found[from])?.get(found[to])
      if (value && value.id >= 0) ids.push(value.id)
    }
    for (const id of ids) {
      const value = values[id]!
      value.rows.push(r)
      value.n += n
      value.failed += failed
    }
    cube.rowValues.push(ids)
    cube.rowN.push(n)
    cube.rowFailed.push(failed)
    cube.rowStart.push(start?.getTime() ?? Number.NaN)
    cube.n += n
    cube.failed += failed
  }
  for (const value of values) value.allN = value.n
  return cube
}

const entityOfPair = (from: Value, to: Value): Entity =>
  from.attribute === 'user' ? from.entity : { kind: 'link', name: linkName(from.entity.name, to.entity.name) }

const blank = (attribute: string, order: number, pair: boolean, entity: Entity): Value => ({
  id: -1,
  attribute,
  pair,
  order,
  entity,
  key: entityKey(entity),
  rows: [],
  n: 0,
  failed: 0,
  allN: 0,
  allFailed: 0,
})

/** Those with enough failures, numbered. The order among equals must not come from the order of the rows. */
function ranked(all: readonly Value[]): Value[] {
  const worth = all.filter(({ allFailed }) => allFailed >= FEWEST)
  worth.sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  for (const [place, value] of worth.entries()) value.id = place
  return worth
}

/** Leaves the jobs of a value out of all counts. */
export function subtract(cube: Cube, { rows }: Value): void {
  for (const r of rows) {
    if (cube.taken[r]) continue
    cube.taken[r] = 1
    const n = cube.rowN[r]!
    const failed = cube.rowFailed[r]!
    cube.n -= n
    cube.failed -= failed
    for (const id of cube.rowValues[r]!) {
      const value = cube.values[id]!
      value.n -= n
      value.failed -= failed
    }
  }
}

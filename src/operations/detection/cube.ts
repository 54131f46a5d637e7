import { type Cause, type Entity, entityKey, type JobFact, linkName } from './types.ts'

/** One value of one attribute, and how its jobs ended. Counts shrink while causes are taken out. */
export interface Value {
  readonly id: number
  readonly attribute: string
  readonly pair: boolean
  /** Place among equals: the more general attribute first, then by name. */
  readonly order: number
  readonly entity: Entity
  readonly key: string
  readonly rows: number[]
  n: number
  failed: number
  allN: number
  allFailed: number
}

export interface Candidate {
  readonly value: Value
  readonly score: number
}

export interface Cube {
  readonly of: Cause['of']
  readonly values: Value[]
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
const KINDS: Readonly<Record<Cause['of'], readonly (readonly [attribute: string, kind: Kind])[]>> = {
  jobs: [
    ['site', 'site'],
    ['output storage', 'storage'],
    ['input storage', 'storage'],
    ['release', 'release'],
    ['production', 'production'],
    ['user', 'user'],
    ['resource', 'resource'],
    ['node', 'node'],
  ],
  transfers: [
    ['destination', 'storage'],
    ['source', 'storage'],
    ['activity', 'activity'],
  ],
}
const PAIRS: Readonly<Record<Cause['of'], readonly (readonly [from: string, to: string])[]>> = {
  jobs: [
    ['site', 'output storage'],
    ['input storage', 'site'],
  ],
  transfers: [['source', 'destination']],
}

/** Counts by value of attribute; rows in the order given, which does not matter to what is found. */
export function cubeOf(of: Cause['of'], rows: readonly JobFact[]): Cube {
  const values: Value[] = []
  const ends = new Map<string, readonly Entity[]>()
  const kinds = KINDS[of]
  const known = kinds.map(() => new Map<string, Value>())
  const pairs = PAIRS[of].map(([from, to]) => ({
    from: kinds.findIndex(([name]) => name === from),
    to: kinds.findIndex(([name]) => name === to),
    name: `${from} × ${to}`,
    values: new Map<number, Map<number, Value>>(),
  }))
  const make = (attribute: string, pair: boolean, order: number, entity: Entity): Value => {
    const value: Value = {
      ...{ id: values.length, attribute, pair, order, entity, key: entityKey(entity) },
      ...{ rows: [], n: 0, failed: 0, allN: 0, allFailed: 0 },
    }
    values.push(value)
    return value
  }
  const cube: Cube = {
    ...{ of, values, ends, n: 0, failed: 0 },
    ...{ rowValues: [], rowN: [], rowFailed: [], rowStart: [], taken: new Uint8Array(rows.length) },
  }
  rows.forEach(({ attributes, start, n, failed }, r) => {
    const of: number[] = []
    const ids = kinds.map(([attribute, kind], a) => {
      const name = attributes[attribute]
      if (name === undefined) return -1
      let value = known[a]!.get(name)
      if (!value) {
        value = make(attribute, false, a, { kind, name })
        known[a]!.set(name, value)
      }
      of.push(value.id)
      return value.id
    })
    pairs.forEach((pair, p) => {
      const from = ids[pair.from]!
      const to = ids[pair.to]!
      if (from < 0 || to < 0) return
      let tos = pair.values.get(from)
      if (!tos) {
        tos = new Map()
        pair.values.set(from, tos)
      }
      let value = tos.get(to)
      if (!value) {
        const [a, b] = [values[from]!.entity, values[to]!.entity]
        value = make(pair.name, true, kinds.length + p, { kind: 'link', name: linkName(a.name, b.name) })
        tos.set(to, value)
        ends.set(value.key, [a, b])
      }
      of.push(value.id)
    })
    for (const id of of) {
      const value = values[id]!
      value.rows.push(r)
      value.n += n
      value.failed += failed
    }
    cube.rowValues.push(of)
    cube.rowN.push(n)
    cube.rowFailed.push(failed)
    cube.rowStart.push(start?.getTime() ?? Number.NaN)
    cube.n += n
    cube.failed += failed
  })
  for (const value of values) {
    value.allN = value.n
    value.allFailed = value.failed
  }
  rank(values)
  return cube
}

/** The order among equals must not come from the order of the rows. */
function rank(values: Value[]): void {
  const sorted = [...values].sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  sorted.forEach((value, place) => {
    ;(value as { order: number }).order = place
  })
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

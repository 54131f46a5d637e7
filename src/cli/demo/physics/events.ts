import { readFile } from 'node:fs/promises'
import { writeRootTree } from '../../run-data/root-tree.ts'
import { LAYERS, MOST } from './detector.ts'

/** The numbers of one event: by name whether they are whole, and how many there are when it is not one. */
export type Layout = Readonly<Record<string, { readonly whole?: true; readonly width?: number }>>
export type Row<L extends Layout> = {
  readonly [K in keyof L]: L[K] extends { readonly width: number } ? ArrayLike<number> : number
}

const whole = { whole: true } as const
const number = {} as const
const each = { width: MOST } as const
const eachWhole = { width: MOST, whole: true } as const
const signals = { width: MOST * LAYERS.length, whole: true } as const
const head = { experiment: whole, run: whole, event: whole } as const
const momenta = { px: each, py: each, pz: each } as const

/** Levels of data, from what was generated to what is plotted. Momenta and masses are in GeV. */
export const LEVELS = {
  generated: { ...head, n: whole, pdg: eachWhole, ...momenta },
  /** Channels that gave a signal, layer after layer for each track, and how deep it went into the iron. */
  raw: { ...head, n: whole, around: signals, along: signals, depth: eachWhole },
  mdst: { ...head, n: whole, charge: eachWhole, ...momenta, chi2: each, muon: each },
  ntuple: { ...head, mass: number, p: number, cosTheta: number, chi2: number },
} as const satisfies Record<string, Layout>
export type Level = keyof typeof LEVELS
export type Generated = Row<typeof LEVELS.generated>
export type Raw = Row<typeof LEVELS.raw>
export type Mdst = Row<typeof LEVELS.mdst>
export type Candidate = Row<typeof LEVELS.ntuple>

const TREE = 'events'

/** A ROOT file with one tree; what is missing to the width is zero. */
export function writeEvents<K extends Level>(level: K, rows: readonly Row<(typeof LEVELS)[K]>[]): Buffer {
  const layout: Layout = LEVELS[level]
  return writeRootTree({
    ...{ name: TREE, title: level, entries: rows.length },
    branches: Object.entries(layout).map(([name, { whole, width = 1 }]) => {
      const values = new (whole ? Int32Array : Float64Array)(rows.length * width)
      for (const [i, row] of rows.entries()) {
        const given = (row as Record<string, number | ArrayLike<number>>)[name]!
        if (typeof given === 'number') values[i] = given
        else values.set(given, i * width)
      }
      return { name, values, ...(width > 1 && { width }) }
    }),
  })
}

/** All events of a ROOT file of that level. Throws when it holds something else. */
export async function readEvents<K extends Level>(
  path: string,
  level: K,
): Promise<Row<(typeof LEVELS)[K]>[]> {
  const { openFile } = await import('jsroot/io')
  const { treeProcess, TSelector } = await import('jsroot/tree')
  const tree = await (await openFile(new Uint8Array(await readFile(path)).buffer)).readObject(TREE)
  if (tree.fTitle !== level) throw new Error(`${path} holds ${String(tree.fTitle)}, not ${level}`)
  const names = Object.keys(LEVELS[level])
  const selector = new TSelector()
  for (const name of names) selector.addBranch(name)
  const rows: Record<string, unknown>[] = []
  selector.Process = function () {
    const row: Record<string, unknown> = {}
    for (const name of names) {
      const value = this.tgtobj[name]
      row[name] = typeof value === 'number' ? value : Array.from(value as ArrayLike<number>)
    }
    rows.push(row)
  }
  await treeProcess(tree, selector)
  return rows as Row<(typeof LEVELS)[K]>[]
}

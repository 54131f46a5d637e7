import { describe, expect, test } from 'vitest'
import { readRootEvents } from '../data/root-events.ts'
import { writeRootTree } from './root-tree.ts'

function sample(entries: number) {
  return writeRootTree({
    name: 'events',
    entries,
    branches: [
      { name: 'event', values: Int32Array.from({ length: entries }, (_, i) => i + 1) },
      { name: 'energy', values: Float32Array.from({ length: entries }, (_, i) => i / 4) },
      { name: 'hit', width: 3, values: Float64Array.from({ length: entries * 3 }, (_, i) => -i) },
    ],
  })
}

async function readBack(file: Buffer, branches: string[]) {
  const { openFile } = await import('jsroot/io')
  const { treeProcess, TSelector } = await import('jsroot/tree')
  const bytes = new Uint8Array(file).buffer
  const tree = await (await openFile(bytes)).readObject('events')
  const selector = new TSelector()
  for (const branch of branches) selector.addBranch(branch)
  const rows: Record<string, unknown>[] = []
  selector.Process = function () {
    rows.push(structuredClone(this.tgtobj))
  }
  await treeProcess(tree, selector)
  return { entries: Number(tree.fEntries), rows }
}

describe('a ROOT file we write', () => {
  test('gives back its entries and values', async () => {
    const { entries, rows } = await readBack(sample(1000), ['event', 'energy', 'hit'])
    expect(entries).toBe(1000)
    expect(rows).toHaveLength(1000)
    expect(rows[7]).toMatchObject({ event: 8, energy: 1.75 })
    expect(Array.from(rows[7]!.hit as Float64Array)).toEqual([-21, -22, -23])
  })

  test('may have any number of baskets', async () => {
    const { rows } = await readBack(sample(150_000), ['event', 'hit'])
    expect(rows).toHaveLength(150_000)
    expect(rows[149_999]).toMatchObject({ event: 150_000 })
    expect(Array.from(rows[149_999]!.hit as Float64Array)).toEqual([-449_997, -449_998, -449_999])
  })

  test('is the same to the last byte when the content is the same', () => {
    expect(sample(50).equals(sample(50))).toBe(true)
  })

  test('tells its number of events without reading them', async () => {
    expect(await readRootEvents(new Uint8Array(sample(321)))).toBe(321)
  })

  test('refuses branches of unequal length', () => {
    expect(() =>
      writeRootTree({ name: 't', entries: 2, branches: [{ name: 'x', values: new Int32Array(3) }] }),
    ).toThrow(/needs 2 values/)
  })
})

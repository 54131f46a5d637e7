import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRng } from '../../kernel/ports.ts'
import { readRootEvents } from '../data/root-events.ts'
import { readEvents } from '../demo/physics/events.ts'
import { generateRun, logNormalSizes } from './generate-run.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kumi-run-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const small = { experiment: 7, run: 12, seed: 1, files: 30, bytes: 3_000_000 }

async function digest(paths: readonly string[]) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(await readFile(path))
  return hash.digest('hex')
}

describe('a generated run', () => {
  test('is the same to the last byte for the same order, and differs for another run', async () => {
    const one = await generateRun({ ...small, directory: join(directory, 'one') })
    const two = await generateRun({ ...small, directory: join(directory, 'two') })
    const other = await generateRun({ ...small, run: 13, directory: join(directory, 'other') })
    expect(await digest(one.map((file) => file.path))).toBe(await digest(two.map((file) => file.path)))
    expect(await digest(one.map((file) => file.path))).not.toBe(await digest(other.map((file) => file.path)))
  })

  test('has ROOT files whose events are what its metadata says, and raw blocks nothing can shrink', async () => {
    const files = await generateRun({ ...small, directory: join(directory, 'content') })
    const root = files.filter((file) => file.metadata.stream_name === 'physics')
    expect(root).toHaveLength(6)
    for (const file of root) expect(await readRootEvents(file.path)).toBe(file.metadata.events)
    const seen = (await Promise.all(root.map((file) => readEvents(file.path, 'raw')))).flat()
    expect(seen.map(({ event }) => event)).toEqual(seen.map((_, i) => i + 1))
    expect(new Set(seen.map(({ run }) => run))).toEqual(new Set([12]))
    const raw = files
      .filter((file) => file.metadata.stream_name === 'waveforms')
      .sort((a, b) => b.bytes - a.bytes)[0]!
    const content = await readFile(raw.path)
    expect(content.subarray(0, 4).toString()).toBe('KRAW')
    expect(gzipSync(content).length).toBeGreaterThan(content.length * 0.99)
  })

  test('of full size has 300 files from 300 bytes to 27 megabytes, 300 megabytes together', async () => {
    const files = await generateRun({
      experiment: 1,
      run: 1,
      seed: 1,
      files: 300,
      bytes: 300_000_000,
      directory: join(directory, 'full'),
    })
    const sizes = files.map((file) => file.bytes)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(files).toHaveLength(300)
    expect(new Set(files.map((file) => file.name)).size).toBe(300)
    expect(Math.min(...sizes)).toBe(300)
    expect(Math.max(...sizes)).toBe(27_000_000)
    expect(total).toBeGreaterThanOrEqual(300_000_000)
    expect(total).toBeLessThan(301_000_000)
  })

  test('has sizes that sum to what was asked for, whenever the limits allow it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1000, max: 1e6 }),
        fc.nat(),
        (count, mean, seed) => {
          const total = count * mean
          const sizes = logNormalSizes(count, total, seededRng(seed), 300, 27_000_000)
          const sum = sizes.reduce((a, b) => a + b, 0)
          expect(sizes).toHaveLength(count)
          expect(sum).toBeGreaterThanOrEqual(total)
          expect(sum).toBeLessThanOrEqual(total + count)
          for (const size of sizes) expect(size >= 300 && size <= 27_000_000).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })
})

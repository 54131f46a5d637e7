import { randomFillSync } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { logNormalSizes } from '../src/cli/run-data/generate-run.ts'
import { seededRng } from '../src/kernel/index.ts'

export interface FileSet {
  readonly directory: string
  readonly names: readonly string[]
  readonly bytes: number
}

/** The set that published measurements of this field use: 6,756 files of 292 bytes to 27 MB, 14 GB together. */
export const MONTAGE_FILES = 6756
const MONTAGE_BYTES = 14e9
const SMALLEST = 292
const LARGEST = 27_000_000

/** A part of that set with the same spread of sizes and the same mean. */
export const montageSizes = (files: number): number[] =>
  logNormalSizes(
    files,
    Math.round((MONTAGE_BYTES * files) / MONTAGE_FILES),
    seededRng(6756),
    SMALLEST,
    LARGEST,
  )

const BLOCK = 1 << 20

/** Writes files of these sizes; random bytes, so that nothing on the way can squeeze them. */
export async function writeFileSet(directory: string, sizes: readonly number[]): Promise<FileSet> {
  mkdirSync(directory, { recursive: true })
  const block = Buffer.alloc(BLOCK)
  const names = sizes.map((_, i) => `image.f${String(i).padStart(6, '0')}.fits`)
  for (const [i, size] of sizes.entries()) {
    const file = await open(join(directory, names[i]!), 'w')
    for (let left = size; left > 0; left -= BLOCK)
      await file.write(randomFillSync(block, 0, Math.min(BLOCK, left)), 0, Math.min(BLOCK, left))
    await file.close()
  }
  return { directory, names, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

/** Throws unless `directory` holds files of the set's names and sizes: a copy that left some out has no rate. */
export function checkCopy(set: FileSet, directory: string): void {
  for (const name of set.names) {
    const [want, have] = [set.directory, directory].map((at) => statSync(join(at, name)).size)
    if (want !== have) throw new Error(`${name} has ${have} bytes instead of ${want} in ${directory}`)
  }
}

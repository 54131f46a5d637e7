import { isGridError } from '../kernel/errors.ts'
import type { StorageDriver, StoragePath } from './driver.ts'

type Walked = Pick<StorageDriver, 'stat' | 'list'>

export interface FoundFile {
  readonly path: StoragePath
  readonly size: number
}

/** The file at a path, or every visible file below it, depth first. What vanishes on the way is passed over. */
export async function* filesBelow(driver: Walked, below: StoragePath): AsyncGenerator<FoundFile> {
  const self = await driver.stat(below)
  if (self && !self.directory) yield { path: below, size: self.size }
  if (self?.directory) yield* filesIn(driver, below)
}

async function* filesIn(driver: Walked, directory: StoragePath): AsyncGenerator<FoundFile> {
  const entries = await driver.list(directory).catch((error) => {
    if (isGridError(error, 'no_such_file')) return []
    throw error
  })
  for (const { name, directory: isDirectory, size } of entries) {
    const path = [...directory, name]
    if (isDirectory) yield* filesIn(driver, path)
    else yield { path, size }
  }
}

export interface Amount {
  readonly bytes: number
  readonly files: number
}

/** How much is at or below a path. */
export async function amountBelow(driver: Walked, below: StoragePath, signal?: AbortSignal): Promise<Amount> {
  let [bytes, files] = [0, 0]
  for await (const { size } of filesBelow(driver, below)) {
    signal?.throwIfAborted()
    bytes += size
    files++
  }
  return { bytes, files }
}

import { digester } from '../storage/digests.ts'
import type { StoragePath } from '../storage/driver.ts'
import type { PosixDriver } from '../storage/posix.ts'
import { filesBelow } from '../storage/walk.ts'

export interface ScrubFinding {
  /** Relative to the area, beginning with "/". */
  readonly path: string
  readonly kind: 'mismatch' | 'unrecorded'
  readonly size: number
  readonly adler32: string
  readonly expected?: string
}

/** Reads files again and compares them with the digests kept when they were written. `pace` may slow it down. */
export async function* scrub(
  driver: PosixDriver,
  below: StoragePath,
  limit: number,
  pace: (bytes: number) => Promise<void>,
): AsyncGenerator<ScrubFinding | null> {
  let left = limit
  for await (const { path } of filesBelow(driver, below)) {
    if (left-- <= 0) return
    const sums = digester()
    let size = 0
    const before = await driver.stat(path)
    try {
      for await (const chunk of await driver.read(path)) {
        sums.update(chunk)
        size += chunk.length
        await pace(chunk.length)
      }
    } catch {
      continue
    }
    const [record, after] = [await driver.recorded(path), await driver.stat(path)]
    // Replaced or removed while being read: nothing can be said about it.
    if (!after || after.modified.getTime() !== before?.modified.getTime() || after.size !== size) continue
    const { adler32, md5 } = sums.done()
    const facts = { path: `/${path.join('/')}`, size, adler32 }
    if (!record) yield { ...facts, kind: 'unrecorded' }
    else if (record.md5 !== md5 || record.size !== size)
      yield { ...facts, kind: 'mismatch', expected: record.adler32 }
    else yield null
  }
}

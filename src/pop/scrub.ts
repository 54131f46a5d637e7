import type { StoragePath } from '../storage/driver.ts'
import type { PosixDriver } from '../storage/posix.ts'
import { sumWhile } from '../storage/sum-while.ts'
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
    const before = await driver.stat(path)
    let found: Awaited<ReturnType<typeof sumWhile>>
    try {
      found = await sumWhile(await driver.read(path), (bytes) => pace(bytes.length))
    } catch {
      continue
    }
    const { size, adler32, md5 } = found
    const [record, after] = [await driver.recorded(path), await driver.stat(path)]
    // Replaced or removed while being read: nothing can be said about it.
    if (!after || after.modified.getTime() !== before?.modified.getTime() || after.size !== size) continue
    const facts = { path: `/${path.join('/')}`, size, adler32 }
    if (!record) yield { ...facts, kind: 'unrecorded' }
    else if (record.md5 !== md5 || record.size !== size)
      yield { ...facts, kind: 'mismatch', expected: record.adler32 }
    else yield null
  }
}

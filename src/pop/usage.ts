import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import type { StorageDriver } from '../storage/driver.ts'
import { type Amount, amountBelow } from '../storage/walk.ts'

/** What an area holds, its trash included: that fills the disk as well. */
export interface UsageCounter {
  /** Undefined until the area was counted once in its life. */
  now(): Amount | undefined
  change(bytes: number, files: number): void
  /** Looks at every file. What changes meanwhile may be missed until the next time. */
  recount(signal: AbortSignal): Promise<void>
  /** Keeps the figures for the next start, if they are new. */
  save(): Promise<void>
}

/** Counts on from what `file` says, so that a gateway that was restarted does not look empty while it counts. */
export function usageCounter(driver: Pick<StorageDriver, 'stat' | 'list'>, file: string): UsageCounter {
  let amount = saved(file)
  let written = JSON.stringify(amount)
  return {
    now: () => amount,
    change(bytes, files) {
      if (amount) amount = { bytes: amount.bytes + bytes, files: amount.files + files }
    },
    async recount(signal) {
      const seen = await amountBelow(driver, [], signal)
      const trash = await amountBelow(driver, ['.trash'], signal)
      amount = { bytes: seen.bytes + trash.bytes, files: seen.files + trash.files }
    },
    async save() {
      const text = JSON.stringify(amount)
      if (text === undefined || text === written) return
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
      written = text
    },
  }
}

function saved(file: string): Amount | undefined {
  try {
    const { bytes, files } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Amount>
    return Number.isSafeInteger(bytes) && Number.isSafeInteger(files)
      ? { bytes: bytes!, files: files! }
      : undefined
  } catch {
    return undefined
  }
}

import { readFileSync } from 'node:fs'
import { processTree } from '../src/embedded/processes.ts'

/** Seconds of CPU that processes and their descendants, also those that ended, have used so far (Linux). */
export function cpuSeconds(roots: readonly number[]): number {
  let ticks = 0
  for (const pid of processTree(roots)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      for (const field of fields.slice(11, 15)) ticks += Number(field)
    } catch {
      // ended in the meantime
    }
  }
  return ticks / 100
}

export interface Measured<T> {
  readonly value: T
  readonly wallSeconds: number
  readonly cpuSeconds: number
}

/** Wall and CPU time of `work`, the CPU of the given process trees included. */
export async function measure<T>(roots: readonly number[], work: () => Promise<T>): Promise<Measured<T>> {
  const cpu = cpuSeconds(roots)
  const start = performance.now()
  const value = await work()
  return {
    value,
    wallSeconds: (performance.now() - start) / 1000,
    cpuSeconds: cpuSeconds(roots) - cpu,
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

import { readFileSync, writeFileSync } from 'node:fs'
import { processTree, residentBytes } from '../src/embedded/processes.ts'

/** Seconds of CPU that processes and their descendants, those that ended too, have used so far (Linux). */
export function cpuSeconds(roots: readonly number[]): number {
  let ticks = 0
  for (const pid of processTree(roots)) {
    try {
      for (const value of ticksOf(pid)) ticks += value
    } catch {
      // ended in the meantime
    }
  }
  return ticks / 100
}

/** Of the programs that this process called and that ended, and of theirs. */
function cpuSecondsOfEnded(): number {
  const [, , user, system] = ticksOf(process.pid)
  return (user! + system!) / 100
}

/** User and system time of a process, then of its descendants that ended; proc_pid_stat(5), fields 14 to 17. */
function ticksOf(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).map(Number)
}

export interface Measured<T> {
  readonly value: T
  readonly wallSeconds: number
  readonly cpuSeconds: number
}

/** Wall and CPU time of `work`, the CPU of the given process trees included. */
export const measure = <T>(roots: readonly number[], work: () => Promise<T>): Promise<Measured<T>> =>
  between(() => cpuSeconds(roots), work)

/** Wall and CPU time of `work` that calls programs and waits for them: the CPU is theirs alone (Linux). */
export const measurePrograms = <T>(work: () => Promise<T>): Promise<Measured<T>> =>
  between(cpuSecondsOfEnded, work)

async function between<T>(cpuNow: () => number, work: () => Promise<T>): Promise<Measured<T>> {
  const cpu = cpuNow()
  const start = performance.now()
  const value = await work()
  return { value, wallSeconds: (performance.now() - start) / 1000, cpuSeconds: cpuNow() - cpu }
}

/** The most bytes that a process had resident so far, or since `forgetMostMemory`; 0 when it is gone. */
export function mostMemory(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

export const forgetMostMemory = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5')

/** The most bytes that each part had resident, looked at every second until `stop`. */
export function watchMemory<Part extends string>(
  parts: Readonly<Record<Part, () => readonly number[]>>,
): { stop(): Record<Part, number> } {
  const names = Object.keys(parts) as Part[]
  const most = Object.fromEntries(names.map((name) => [name, 0])) as Record<Part, number>
  const look = (): void => {
    for (const name of names) most[name] = Math.max(most[name], residentBytes(processTree(parts[name]())))
  }
  const timer = setInterval(look, 1000)
  return {
    stop() {
      clearInterval(timer)
      look()
      return most
    },
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

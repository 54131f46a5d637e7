import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Processes below `roots`, the roots included, as the kernel lists them now. */
export function processTree(roots: readonly number[]): number[] {
  if (!existsSync('/proc')) return [...roots]
  const childrenOf = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = parentOf(Number(entry))
    if (parent !== undefined) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(entry)])
  }
  const found = new Set<number>()
  const visit = (pid: number): void => {
    if (found.has(pid)) return
    found.add(pid)
    for (const child of childrenOf.get(pid) ?? []) visit(child)
  }
  for (const root of roots) visit(root)
  return [...found]
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

/**
 * Resident bytes of the processes together. Pages that several of them share (PostgreSQL's buffers, program text)
 * count once, as the kernel's proportional figure has it.
 */
export function residentBytes(pids: readonly number[]): number {
  let total = 0
  for (const pid of pids) total += proportional(pid) ?? resident(pid) ?? 0
  return total
}

function proportional(pid: number): number | undefined {
  try {
    const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
    return match ? Number(match[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}

function resident(pid: number): number | undefined {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return match ? Number(match[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

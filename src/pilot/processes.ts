import { readdirSync, readFileSync } from 'node:fs'

export interface TreeUse {
  readonly pids: readonly number[]
  readonly memoryBytes: number
  readonly cpuSeconds: number
}

const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

/** Memory and processor time of a process and all below it, as the kernel tells; empty where there is no /proc. */
export function treeUse(root: number): TreeUse {
  const childrenOf = new Map<number, number[]>()
  const facts = new Map<number, { memory: number; cpu: number }>()
  for (const entry of listed('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const pid = Number(entry)
    const stat = statOf(pid)
    if (!stat) continue
    facts.set(pid, stat)
    childrenOf.set(stat.parent, [...(childrenOf.get(stat.parent) ?? []), pid])
  }
  const pids: number[] = []
  const visit = (pid: number): void => {
    if (pids.includes(pid) || !facts.has(pid)) return
    pids.push(pid)
    for (const child of childrenOf.get(pid) ?? []) visit(child)
  }
  visit(root)
  const sum = (of: 'memory' | 'cpu') => pids.reduce((total, pid) => total + facts.get(pid)![of], 0)
  return { pids, memoryBytes: sum('memory'), cpuSeconds: sum('cpu') }
}

/** proc(5): parent is field 4, user and system time of itself and of waited-for children 14 to 17, resident pages 24. */
function statOf(pid: number): { parent: number; memory: number; cpu: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const number = (field: number) => Number(fields[field - 3])
    const ticks = number(14) + number(15) + number(16) + number(17)
    return { parent: number(4), memory: number(24) * PAGE_BYTES, cpu: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined
  }
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

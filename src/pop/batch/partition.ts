/** A part of a cluster with rules of its own, as `sinfo` shows it. */
export interface Partition {
  readonly name: string
  readonly up: boolean
  /** The longest time of a job as Slurm writes it, such as 1-12:00:00, or "infinite". */
  readonly limit: string
  /** Where jobs go that name none. */
  readonly standard: boolean
}

/** Minutes of a time of Slurm ([days-]hours:minutes:seconds, or minutes:seconds); Infinity where it is no time. */
export function minutesOf(limit: string): number {
  const found = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(limit)
  if (!found) return Number.POSITIVE_INFINITY
  const [days = 0, hours = 0, minutes = 0] = found.slice(1, 4).map((part) => Number(part ?? 0))
  return (days * 24 + hours) * 60 + minutes
}

/** In the order in which a file goes through them. */
export const RAW_STATES = [
  ...(['recorded', 'landed', 'verified', 'registered'] as const),
  ...(['archived', 'second_copy', 'releasable', 'released'] as const),
] as const
export type RawState = (typeof RAW_STATES)[number]

/** A place for second copies, and how much of the data it shall have in proportion to the others. */
export interface Centre {
  /** RSE expression. */
  readonly storages: string
  readonly share: number
}

export interface NewFlow {
  readonly name: string
  readonly scope: string
  /** Name of an RSE. */
  readonly landing: string
  /** RSE expression that names tape-class storages only. */
  readonly archive: string
  readonly centres: readonly Centre[]
}

export interface Flow extends NewFlow {
  readonly id: number
  readonly vo: string
  readonly accountId: number
  readonly account: string
}

/** A file as the data acquisition wrote it. */
export interface Recorded {
  readonly name: string
  readonly stream: string
  readonly bytes: bigint
  readonly adler32: string
  readonly md5: string | null
  readonly events: number
}

export interface Run {
  readonly id: bigint
  readonly vo: string
  readonly flowId: number
  readonly experiment: number
  readonly run: number
  readonly scope: string
  readonly dataset: string
  /** RSE expression of its second copies. */
  readonly centre: string
  readonly filesExpected: number | null
  readonly openedAt: Date
  readonly closedAt: Date | null
  readonly completedAt: Date | null
}

export interface RawFile extends Recorded {
  readonly id: bigint
  readonly runId: bigint
  readonly state: RawState
  readonly fileId: bigint | null
  readonly problem: string
  readonly times: Readonly<Partial<Record<RawState, Date>>>
}

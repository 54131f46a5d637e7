import type { FilterTerm } from '../catalog/index.ts'
import type { PinnedRelease } from '../software/index.ts'
import type { Demand, JobFile } from '../workload/index.ts'

/** What turns inputs into tasks: cells of runs, or files as they appear. */
export const KINDS = ['generate', 'standard', 'by_size', 'by_run', 'broadcast'] as const
export type StepKind = (typeof KINDS)[number]

/** What the number of events of an output must be, beside what was asked for or what the inputs hold. */
export const EVENT_CHECKS = ['exact', 'fewer', 'any'] as const
export type EventCheck = (typeof EVENT_CHECKS)[number]

/** Where a step takes its files from: another step, or whatever the catalogue knows by its metadata. */
export type StepInput =
  | { readonly step: string }
  | { readonly scope: string; readonly where: readonly FilterTerm[] }

export interface Step {
  readonly name: string
  readonly kind: StepKind
  /** null for `generate`. */
  readonly input: StepInput | null
  readonly program: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly files: readonly JobFile[]
  /** Name of the one file that every task makes. */
  readonly output: string
  /** Of a ROOT file the tree whose entries are its events; empty or absent: the only one; `no`: they are not counted. */
  readonly tree?: string
  /** Data level, such as mdst. */
  readonly level: string
  readonly events: EventCheck
  readonly eventsPerJob: number
  readonly filesPerJob: number
  readonly gigabytesPerJob: number
  /** Files that wait for company go alone after so many seconds. */
  readonly waitSeconds: number
  /** false: the files go when every later step has used them. */
  readonly keep: boolean
  readonly demand: Demand
  readonly readFromAfar: boolean
  /** Only `broadcast`: storage expressions, each of which gets a copy. */
  readonly targets: readonly string[]
}

export interface Destination {
  /** RSE expression. */
  readonly storages: string
  readonly share: number
  readonly copies: number
}

/** So many events of a type under the conditions of a run. */
export interface Cell {
  readonly experiment: number
  readonly run: number
  readonly eventType: string
  readonly events: number
}

/** What is to be made; immutable once started. */
export interface Definition {
  readonly name: string
  readonly scope: string
  readonly description: string
  readonly release: string
  /** The tree that every job sees, as it was when this was defined; absent: none. */
  readonly software?: PinnedRelease
  readonly conditions: string
  readonly campaign: string
  readonly energy: string
  readonly eventTypes: readonly string[]
  /** 0 background … 10 first. */
  readonly priority: number
  /** Tasks that must succeed before the others are made; 0: none. */
  readonly scouts: number
  readonly destinations: readonly Destination[]
  readonly steps: readonly Step[]
}

export type Life = 'defined' | 'active' | 'finishing' | 'completed' | 'cancelled'
export type Validation = 'unchecked' | 'accepted' | 'rejected'
export type Operation = 'normal' | 'held' | 'troubled'

export interface Production {
  readonly id: number
  readonly vo: string
  readonly name: string
  readonly accountId: number
  readonly account: string
  readonly group: string
  readonly definition: Definition
  readonly life: Life
  readonly validation: Validation
  readonly operation: Operation
  /** Why the operation is what it is. */
  readonly reason: string
  readonly checkedBy: string | null
  readonly scouted: boolean
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

export interface StepRow {
  readonly id: number
  readonly productionId: number
  readonly n: number
  readonly name: string
  readonly kind: StepKind
  readonly tasks: bigint
  readonly verified: bigint
  readonly failed: bigint
  /** Jobs that were submitted for its tasks, and how many of them did not succeed. */
  readonly jobs: bigint
  readonly jobsFailed: bigint
  readonly eventsVerified: bigint
  readonly inputs: bigint
  /** Inputs in tasks. */
  readonly inputsTaken: bigint
  readonly lookedAt: Date | null
}

export type TaskState = 'ready' | 'submitted' | 'verified' | 'failed'

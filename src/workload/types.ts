import type { Did } from '../catalog/index.ts'
import type { PinnedRelease } from '../software/index.ts'

/** What a job needs of the place where it runs, in normal form: equal needs are equal values. */
export interface Demand {
  /** Wall-clock seconds it may take; one of the steps of `SECONDS`. */
  readonly seconds: number
  readonly cores: number
  readonly memoryMb: number
  readonly diskMb: number
  /** null: any. */
  readonly platform: string | null
  readonly tags: readonly string[]
  /** Only there; null: anywhere. */
  readonly sites: readonly string[] | null
  readonly banned: readonly string[]
}

/** A file small enough to travel with the job. */
export interface JobFile {
  readonly name: string
  readonly executable: boolean
  /** base64 */
  readonly content: string
}

export interface OutputWish {
  /** Name with `*` and `?`, relative to the working directory. */
  readonly pattern: string
  /** The dataset that receives the files; its scope is theirs. */
  readonly dataset: Did
}

/** What the jobs of one submission have in common. Texts may hold `%(NAME)s`, `%s`, `%n` and `%j`. */
export interface JobSpec {
  readonly executable: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly files: readonly JobFile[]
  /** Archives with input files, by their names on the wire. */
  readonly inputSandboxes: readonly string[]
  /** What every start of it sees at `/cvmfs/<repository>`; absent: nothing. */
  readonly software?: PinnedRelease
  /** Files that come back as one archive. */
  readonly outputSandbox: readonly string[]
  readonly standardOutput: string
  readonly standardError: string
  readonly outputs: readonly OutputWish[]
  /** RSE expression for the outputs; null: a storage of the site where it ran. */
  readonly destination: string | null
  /** Whether it may run where its inputs are not; they are then read from afar. */
  readonly readFromAfar: boolean
  /** How often a start may end badly by the job's own doing before it is Failed. */
  readonly tries: number
  /** As it was written, for those who ask for it. */
  readonly jdl: string | null
}

/** What is different for one job of a submission. */
export interface JobItem {
  readonly n: number
  readonly parameters: Readonly<Record<string, string>>
  readonly inputs: readonly Did[]
}

/** Jobs to be added: one spec, many items. */
export interface NewJobs {
  readonly name: string
  readonly jobGroup: string
  readonly jobType: string
  /** 0 background … 10 first; among the owner's own jobs. */
  readonly priority: number
  readonly demand: Demand
  readonly spec: JobSpec
  readonly items: readonly JobItem[]
}

export interface Submitter {
  readonly vo: string
  readonly accountId: number
  readonly account: string
  /** The group on whose share the jobs run. */
  readonly group: string
}

/** Jobs with the same needs of the same owner. */
export interface Queue {
  readonly id: number
  readonly vo: string
  readonly ownerId: number
  readonly owner: string
  readonly group: string
  readonly jobType: string
  readonly demand: Demand
  readonly dataSites: readonly string[] | null
  /** Sites that spoilt a start of them: not there while there is another place. */
  readonly spoiltAt: readonly string[]
}

/** What a pilot, or a place where one could be started, has to offer. */
export interface Offer {
  readonly vo: string
  readonly site: string
  readonly resource: string
  readonly cores: number
  readonly memoryMb: number
  readonly diskMb: number
  readonly seconds: number
  readonly platform: string
  readonly tags: readonly string[]
}

export interface JobLimit {
  readonly id: number
  readonly vo: string
  readonly site: string | null
  readonly key: 'any' | 'owner' | 'group' | 'type' | 'storage'
  readonly value: string
  readonly maxRunning: number | null
  readonly intervalMs: number
  readonly used: number
  readonly nextAt: Date | null
}

/** Names one start of one job: whoever reports about it must hold it. */
export interface Held {
  readonly jobId: bigint
  readonly attempt: number
}

/** A value of the job description language: text, or a list of texts. Numbers and words are texts too. */
export type JdlValue = string | readonly string[]
export type Jdl = ReadonlyMap<string, JdlValue>

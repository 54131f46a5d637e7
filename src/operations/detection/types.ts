/** What the detector reads and what it says: rows of plain values, so that a replay gives it what the tables give. */

/** Something that can be ill. A link is named by `linkName`; central parts have the names of workers, certificates, disks. */
export interface Entity {
  readonly kind:
    | 'site'
    | 'resource'
    | 'node'
    | 'storage'
    | 'link'
    | 'production'
    | 'transformation'
    | 'user'
    | 'release'
    | 'activity'
    | 'file'
    | 'central'
  readonly name: string
}

/** One string for an entity, unique among all; used as a key in memory and of cards. */
export const entityKey = ({ kind, name }: Entity): string => `${kind} ${name}`
export const linkName = (source: string, destination: string): string => `${source} → ${destination}`
/** Names of its source and its destination. */
export const linkEnds = (name: string): readonly string[] => name.split(' → ')

/** What is counted: ends of jobs, submissions of pilots, active tests, attempts of transfers. */
export type Measure = 'jobs' | 'pilots' | 'tests' | 'transfers'

/** How long a bin is. Bins begin at whole multiples of it since 1970. */
export const BIN_MS = 600_000

/**
 * What happened at an entity within ten minutes. Bins without an event need no row. Jobs are counted at sites; pilots at
 * sites and at resources; tests at sites (jobs, ports, clock) or storages (put, get, checksum, list, delete); transfers
 * at storages, each at its source and at its destination, and at their link, which is within both.
 */
export interface Bin {
  readonly entity: Entity
  /** What the entity is a part of: the site of a storage or resource. Its downtime is the entity's. */
  readonly within?: readonly Entity[]
  readonly start: Date
  readonly measure: Measure
  readonly n: number
  readonly failed: number
}

/**
 * Jobs or transfers with the same attributes, and how many of them failed: the cube of the localiser. Jobs: `site`,
 * `resource`, `node` (`site/host`), `input storage`, `output storage`, `production`, `user`, `release`. Transfers:
 * `source`, `destination` (storages), `activity`. Pairs that are links are made by the localiser itself. An attribute that
 * a job does not have is left out, not empty; other attributes are not looked at.
 */
export interface JobFact {
  readonly attributes: Readonly<Record<string, string>>
  /** Start of its bin. Without it one bad moment looks like a lasting cause. */
  readonly start?: Date
  readonly n: number
  readonly failed: number
  /** Error messages as they came, or templates already, with how many failures had each. */
  readonly errors?: readonly ErrorCount[]
}

export interface ErrorCount {
  readonly text: string
  readonly n: number
}

/**
 * All that is known at one moment. Of `bins` those that are closed (start + 10 min ≤ now) count, each once: the detector
 * remembers up to where it has read, so the same bins may be given again. A part that is absent leaves its rules silent
 * and their findings as they were not seen; an empty part says "looked, found nothing".
 */
export interface Picture {
  readonly bins: readonly Bin[]
  /** Ends of jobs of the last 60 min (`WINDOW_MS`). */
  readonly jobs?: readonly JobFact[]
  /** Attempts of transfers of the last 60 min. */
  readonly transfers?: readonly JobFact[]
  readonly downtimes?: readonly Downtime[]
  readonly gateways?: readonly { readonly site: string; readonly lastSeen: Date | null }[]
  readonly resources?: readonly ResourcePilots[]
  readonly trends?: readonly Trend[]
  readonly stuckJobs?: readonly StuckJobs[]
  readonly consumption?: readonly Consumption[]
  readonly users?: readonly UserJobs[]
  readonly central?: Central
  readonly storages?: readonly StorageFill[]
  readonly rawInputs?: readonly RawInput[]
  readonly rawLatencies?: readonly RawLatency[]
  readonly transformations?: readonly TransformationCounts[]
  readonly links?: readonly LinkCounts[]
  readonly rules?: RuleBacklog
  readonly suspicious?: readonly SuspiciousFile[]
}

/** R01, R02, and what mutes the others. Given from twelve hours before its start until an hour after its end. */
export interface Downtime {
  readonly entity: Entity
  /** `outage`: nothing works; `warning`: it may work badly. */
  readonly severity: 'outage' | 'warning'
  readonly from: Date
  readonly to: Date
}

/** R03 to R05: the pilots of one place where they are started. */
export interface ResourcePilots {
  readonly resource: string
  readonly site: string
  readonly waiting: number
  readonly running: number
  readonly oldestWaitingSince: Date | null
  /** 95th percentile of the waits of the last 14 d, ms; null: none began to run. */
  readonly usualWaitMs: number | null
  /** Pilots that it would still take; null: unknown. */
  readonly freeSlots: number | null
  /** Waiting jobs that would fit it. */
  readonly demand: number
  /** The last submissions, at most twenty, oldest first: whether their pilots came on. */
  readonly submissions: readonly { readonly at: Date; readonly ok: boolean }[]
  /** Pilots that ended in the last 60 min, and those of them that ran no job. */
  readonly ended: number
  readonly empty: number
}

/** R06, R07: one figure against the same hour of the week. */
export interface Trend {
  readonly entity: Entity
  readonly what: 'running pilots' | 'finished jobs' | 'failed jobs'
  /** The last six bins, oldest first. */
  readonly last: readonly number[]
  /** The same hour of the week of the last four weeks, values of bins in any order. */
  readonly usual: readonly number[]
  /** Waiting jobs that could run there now: without them a drop is nobody's fault. */
  readonly demand: number
}

/** R09: jobs that are in a state that is not final longer than it may last. */
export interface StuckJobs {
  readonly state: string
  readonly site: string | null
  readonly n: number
  readonly oldestSince: Date
  readonly limitMs: number
}

/** R10: how quickly a node or a site eats jobs. Rates are ends of jobs per hour; times are wall times. */
export interface Consumption {
  readonly site: string
  readonly node: string | null
  readonly n: number
  readonly failed: number
  readonly perHour: number
  /** Median of the last 7 d. */
  readonly usualPerHour: number
  readonly medianWallMs: number
  /** Median of the same productions elsewhere. */
  readonly usualWallMs: number
}

/** R11, last 24 h. */
export interface UserJobs {
  readonly user: string
  readonly n: number
  readonly failed: number
  /** Sites where at least one of the jobs failed. */
  readonly sites: number
  readonly waiting: number
  /** Jobs that would run by fair share if everybody's did. */
  readonly fairShare: number
}

/** R12. */
export interface Central {
  readonly workers?: readonly {
    readonly name: string
    readonly lastSuccess: Date
    readonly periodMs: number
  }[]
  readonly queues?: readonly {
    readonly name: string
    readonly backlog: number
    readonly perMinute: number
  }[]
  readonly database?: {
    readonly oldestTransactionMs: number
    readonly connections: number
    readonly maxConnections: number
    readonly replicationLagMs: number | null
  }
  /** Clocks of sites, difference to ours. */
  readonly clocks?: readonly { readonly site: string; readonly offsetMs: number }[]
  /** Certificates, signing keys, revocation lists, tokens of services. */
  readonly expiries?: readonly { readonly name: string; readonly at: Date }[]
  readonly disks?: readonly {
    readonly name: string
    readonly freeBytes: number
    readonly totalBytes: number
  }[]
}

/** R13. */
export interface StorageFill {
  readonly storage: string
  readonly site: string | null
  readonly usedBytes: number
  readonly totalBytes: number
  /** Sum of the catalogue; null: not comparable. */
  readonly catalogueBytes: number | null
  /** Up to 14 d, one value a day or more, oldest first. */
  readonly history: readonly { readonly at: Date; readonly usedBytes: number }[]
}

/** R15: an input of raw-data processing that may be in trouble. */
export interface RawInput {
  readonly name: string
  readonly run: string
  readonly availableCopies: number
  readonly failedAttempts: number
  readonly failedSites: number
  readonly registeredAt: Date
  readonly processed: boolean
  /** Size and checksum are the same wherever it lies. */
  readonly consistent: boolean
}

/** R16, last 24 h. */
export interface RawLatency {
  readonly stage: 'registered' | 'second copy' | 'processed'
  readonly p95Ms: number
  readonly n: number
}

/** R17, R18: one step of a production. Counts are of last attempts of its tasks. */
export interface TransformationCounts {
  readonly transformation: string
  readonly production: string
  readonly done: number
  readonly failed: number
  readonly waiting: number
  readonly held: boolean
  readonly startedAt: Date
  readonly lastDoneAt: Date | null
  /** Mean wall time of its starts of the last 14 d; null: none ended. */
  readonly usualJobMs: number | null
  /** Tasks done in the last 24 h, and those expected of it. */
  readonly donePerDay: number
  readonly remaining: number
}

/** R19, last 60 min. */
export interface LinkCounts {
  readonly source: string
  readonly destination: string
  readonly attempts: number
  readonly failed: number
  /** Failures by whose they are: the source's, the destination's, or the transfer's own. */
  readonly failedAt: { readonly source: number; readonly destination: number; readonly transfer: number }
  /** What it carried when it was full, in the last hour and in the last 28 d; null: it seldom was. */
  readonly full: { readonly bytesPerSecond: number; readonly usualBytesPerSecond: number } | null
}

/** R21. */
export interface RuleBacklog {
  readonly stuckWithoutSource: number
  readonly stuckOtherwise: number
  readonly expired: number
  /** Datasets whose contents changed and whose rules were not looked at, and since when. */
  readonly unevaluated: number
  readonly unevaluatedSince: Date | null
  /** Deletions that are due for more than 24 h. */
  readonly lateDeletions: number
}

/** R23: reports of the last 5 d on one copy. */
export interface SuspiciousFile {
  readonly storage: string
  readonly file: string
  readonly reports: number
}

export type Severity = 'info' | 'warn' | 'error' | 'critical'
export type RuleId = `R${'0' | '1' | '2'}${number}`

/**
 * One rule that holds now for one entity. Words are made where people read: `code` and `facts` are enough for them in
 * any language. Codes are listed in `codes.ts`; facts are numbers in the unit that their name ends with, or names.
 */
export interface Finding {
  readonly rule: RuleId
  readonly code: string
  readonly entity: Entity
  readonly severity: Severity
  /** Since when it holds without a pause of more than 30 min. */
  readonly since: Date
  readonly facts: Readonly<Record<string, number | string>>
  /** What the entity is a part of: the site of a resource, the production of a step, the ends of a link. */
  readonly within: readonly Entity[]
}

/** What the localiser holds to be the cause of failures (R20). */
export interface Cause {
  readonly entity: Entity
  readonly within: readonly Entity[]
  /** What was counted. */
  readonly of: 'jobs' | 'transfers'
  readonly n: number
  readonly failed: number
  /** Gain in log likelihood by this cause; at least 12. */
  readonly score: number
  /** At which sites its failures were seen. */
  readonly sites: readonly string[]
  /** Keys of entities most of whose failures are its own; a central cause explains all. */
  readonly explains: readonly string[]
  /** The most frequent kinds of message, at most three. */
  readonly templates: readonly ErrorCount[]
  /** When it was first named, ms since 1970. What began long before is not its doing. */
  readonly since?: number
}

/** What the detector keeps between two calls: JSON, times in ms since 1970. Empty at first: `emptyMemory`. */
export interface Memory {
  readonly version: 2
  /** Start of the first bin that was not read yet. */
  readonly upTo: number
  readonly entities: Readonly<Record<string, EntityMemory>>
  /** When a finding (`rule code entity`) was first and last seen. */
  readonly seen: Readonly<Record<string, { readonly since: number; readonly last: number }>>
  /** Causes that the localiser named within the last 30 min, by the cause's entity. */
  readonly causes: Readonly<Record<string, CauseMemory>>
}

export interface EntityMemory {
  readonly entity: Entity
  readonly within: readonly Entity[]
  /** Jobs of the last three bins in which any ended, oldest first. */
  readonly recent: readonly { readonly start: number; readonly n: number; readonly failed: number }[]
  /** Sums of evidence by measure, each 0 to 14: one for each way to be ill. */
  readonly sums: Readonly<Partial<Record<Measure, readonly number[]>>>
  /** The largest of the sums. */
  readonly evidence: Readonly<Partial<Record<Measure, number>>>
  /** Usual fraction of failures of jobs; stands still while there is an alarm. */
  readonly baseline: number
  /** Since when the alarm is on; null: it is not. */
  readonly since: number | null
  /** Bins in a row with little evidence while the alarm is on. */
  readonly calm: number
  /** Last bin with any event. */
  readonly last: number
}

export interface CauseMemory {
  readonly since: number
  readonly last: number
  readonly cause: Cause
}

export interface Detection {
  readonly memory: Memory
  /** All that holds now, worst first. Muted findings (R01) are not among them. */
  readonly findings: readonly Finding[]
  /** Causes that were named now or a short while ago, best first. */
  readonly causes: readonly Cause[]
}

export type CardState = 'NEW' | 'ACK' | 'WORKING' | 'DOWNTIME' | 'RETIRED' | 'CLOSED'
/** Who was told beside the shifter. */
export type Escalation = 'none' | 'expert' | 'DC'

/**
 * What a card's store gives: one row of what a person has to look at. `key` names it among open cards. The store makes
 * ids, keeps history and lets people change state, owner and expiry; the detector changes all else.
 */
export interface Card {
  readonly key: string
  readonly state: CardState
  readonly severity: Severity
  /** What is held to be ill; null where many fell ill at once and nobody knows why. */
  readonly entity: Entity | null
  readonly cause: Cause | null
  /** All that show it. */
  readonly entities: readonly Entity[]
  readonly findings: readonly Finding[]
  readonly firstSeen: Date
  readonly lastSeen: Date
  /** When a person first took it; null: nobody did. */
  readonly acknowledgedAt: Date | null
  readonly owner: string | null
  /** Until when a person wants to be left alone with it. */
  readonly expires: Date | null
  readonly escalation: Escalation
  /** R24: open for seven days, or its expiry passed; no longer counted among the red. */
  readonly stale: boolean
}

/** What the detector's part of a card becomes. */
export type CardContent = Pick<
  Card,
  'key' | 'severity' | 'entity' | 'cause' | 'entities' | 'findings' | 'firstSeen' | 'lastSeen'
>

export type CardChange =
  | { readonly kind: 'open'; readonly card: CardContent }
  /** `key` is the one that the card has had; its content may have another: it turned out to be about something else. */
  | { readonly kind: 'update'; readonly key: string; readonly card: CardContent }
  /** `merged`: `into` is the key of the card that explains it. */
  | { readonly kind: 'close'; readonly key: string; readonly reason: 'over' }
  | { readonly kind: 'close'; readonly key: string; readonly reason: 'merged'; readonly into: string }
  | {
      readonly kind: 'escalate'
      readonly key: string
      readonly to: 'expert' | 'DC'
      readonly because: string
    }
  | { readonly kind: 'stale'; readonly key: string; readonly because: 'seven days' | 'expired' }

/** What the guard must know before anything is shut out without a person (R20). */
export interface ExclusionQuestion {
  readonly findings: readonly Finding[]
  readonly causes: readonly Cause[]
  /** Job slots by site, of all sites. */
  readonly slots: Readonly<Record<string, number>>
  /** Exclusions by the machine, those that are over too: the last hour counts. */
  readonly exclusions: readonly { readonly site: string; readonly at: Date; readonly until: Date | null }[]
  /** Sites whose state a person holds: the machine leaves them alone. */
  readonly held: readonly string[]
}

/** One site that the rules want to shut out, and whether they may. */
export interface ExclusionDecision {
  readonly site: string
  readonly rule: RuleId
  /** `exclude`: no job more; `throttle`: a tenth of the slots, so that recovery is seen. */
  readonly action: 'exclude' | 'throttle' | 'none'
  readonly because:
    | 'site is ill'
    | 'cause is elsewhere'
    | 'too much at once'
    | 'held by a person'
    | 'already out'
  /** The cause that forbids it. */
  readonly cause?: Entity
}

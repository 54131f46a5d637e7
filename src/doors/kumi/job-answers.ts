import { Type } from 'typebox'
import type { MadeOf } from '../../production/index.ts'
import {
  type AttemptView,
  type JobEvent,
  type JobSpec,
  type JobView,
  stateName,
} from '../../workload/index.ts'
import { small } from './whole.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(of: T) => Type.Array(of)

export const Job = Type.Object({
  id: count,
  name: text,
  owner: text,
  group: text,
  jobGroup: text,
  jobType: text,
  status: text,
  minor: text,
  application: text,
  site: maybe(text),
  priority: count,
  attempt: count,
  losses: count,
  failures: count,
  submittedAt: time,
  updatedAt: time,
  startedAt: maybe(time),
  endedAt: maybe(time),
  deadline: maybe(time),
})
export const JobPageShown = Type.Object({
  jobs: list(
    Type.Object({
      id: count,
      name: text,
      owner: text,
      group: text,
      jobType: text,
      status: text,
      minor: text,
      site: maybe(text),
      attempt: count,
      submittedAt: time,
      startedAt: maybe(time),
      endedAt: maybe(time),
    }),
  ),
  next: maybe(count),
  looked: count,
})
export const JobCountsShown = Type.Object({
  counts: list(Type.Object({ status: text, count })),
  /** Only so many newest jobs were counted; null: all. */
  among: maybe(count),
})
export const JobTimelineShown = Type.Object({
  /** Length of an interval in seconds. */
  seconds: count,
  points: list(
    Type.Object({
      at: time,
      /** By state, at the end of the interval. */
      counts: Type.Record(text, count),
      ended: Type.Object({ Done: count, Failed: count, Killed: count }),
    }),
  ),
})
export const Attempt = Type.Object({
  n: count,
  pilot: maybe(text),
  site: text,
  resource: text,
  leasedAt: time,
  startedAt: maybe(time),
  endedAt: maybe(time),
  outcome: maybe(text),
  reason: maybe(text),
  exitCode: maybe(count),
  figures: Type.Unknown(),
})
const Did = Type.Object({ scope: text, name: text })
/** The tree that a job runs with. */
const Pinned = maybe(Type.Object({ release: text, repository: text, revision: count, root: text }))
export const pinnedAnswer = ({ software }: JobSpec) => {
  if (!software) return null
  const { release, repository, revision, root } = software
  return { release, repository, revision, root }
}
export const JobShown = Type.Object({
  job: Job,
  executable: text,
  arguments: list(text),
  software: Pinned,
  inputs: list(Did),
  outputs: list(Type.Object({ pattern: text, dataset: text })),
  made: list(Type.Object({ scope: text, name: text, bytes: count, attempt: count })),
  /** What the job's own programs wanted remembered. */
  parameters: Type.Record(text, text),
  attempts: list(Attempt),
  history: list(
    Type.Object({ at: time, attempt: count, status: text, minor: text, application: text, source: text }),
  ),
})
export const Explained = Type.Object({
  job: Job,
  demand: Type.Unknown(),
  dataSites: maybe(list(text)),
  owner: maybe(text),
  places: list(
    Type.Object({
      resource: text,
      site: text,
      obstacles: list(Type.Object({ kind: text, text })),
      paused: maybe(text),
    }),
  ),
  ahead: count,
  share: maybe(Type.Object({ group: Type.Number(), owner: Type.Number(), usedGroup: Type.Number() })),
  limits: list(text),
  attempts: list(Attempt),
  because: text,
})
export const Log = Type.Object({
  attempt: count,
  text,
  /** Where the text begins, in bytes, and where to go on. */
  from: count,
  next: count,
  /** Nothing more will come of this start. */
  over: Type.Boolean(),
})
export const Lineage = Type.Object({
  file: Did,
  /** false: an intermediate that was given up when everything was made of it. */
  kept: Type.Boolean(),
  madeBy: maybe(
    Type.Object({
      job: count,
      name: text,
      owner: text,
      attempt: count,
      site: text,
      endedAt: maybe(time),
      executable: text,
      arguments: list(text),
      software: Pinned,
      inputs: list(Did),
    }),
  ),
  production: maybe(
    Type.Object({
      name: text,
      step: text,
      task: count,
      /** The task's number, where events were generated. */
      seed: maybe(count),
      experiment: maybe(count),
      run: maybe(count),
      eventType: maybe(text),
      events: maybe(count),
      release: text,
      conditions: text,
      campaign: text,
    }),
  ),
})
/** The gateway alone understands it, and looks at it closely before it uses any of it. */
const Cluster = Type.Record(
  Type.String({ pattern: '^[A-Za-z]{1,32}$' }),
  Type.Union([Type.String({ maxLength: 65_536 }), count]),
  { maxProperties: 32 },
)
export const Compute = Type.Object({
  name: text,
  site: text,
  gateway: text,
  kind: text,
  cores: small(1, 1024),
  memoryMb: small(1, 16_777_216),
  diskMb: small(1, 16_777_216),
  seconds: small(1, 100_000_000),
  platform: text,
  tags: list(text),
  maxPilots: small(0, 1_000_000),
  maxWaiting: small(0, 1_000_000),
  /** How the gateway reaches the batch system; null: processes of its own machine. */
  cluster: maybe(Cluster),
  pausedUntil: maybe(time),
  pauseReason: maybe(text),
})
export const Pilot = Type.Object({
  stamp: text,
  site: text,
  resource: text,
  state: text,
  reason: text,
  reference: maybe(text),
  jobs: count,
  createdAt: time,
  seenAt: maybe(time),
  endedAt: maybe(time),
})

export const jobAnswer = ({
  state,
  vo: _,
  ownerId: _o,
  heartbeatAt: _h,
  rescheduledAt: _r,
  ...job
}: JobView) => ({
  ...job,
  status: stateName(state),
})
export const attemptAnswer = ({ jobId: _, ...attempt }: AttemptView) => attempt
export const eventAnswer = ({ at, attempt, state, minor, application, source }: JobEvent) => ({
  ...{ at, attempt, status: stateName(state), minor, application, source },
})
export const makingAnswer = ({ fileId: _, production, generated, ...making }: MadeOf) => ({
  ...{ ...making, name: production, seed: generated ? making.task : null },
})

const FileFacts = Type.Object({
  scope: text,
  name: text,
  /** false: an intermediate that was given up. */
  kept: Type.Boolean(),
  bytes: maybe(count),
  adler32: maybe(text),
  md5: maybe(text),
})

/** Everything that is needed to make a file again. */
export const Recipe = Type.Object({
  file: FileFacts,
  job: count,
  attempt: count,
  site: text,
  /** Its number in the submission. */
  number: count,
  executable: text,
  arguments: list(text),
  environment: Type.Record(text, text),
  files: list(Type.Object({ name: text, executable: Type.Boolean(), content: text })),
  software: Pinned,
  /** Archives that came along; they are not part of the answer. */
  sandboxes: count,
  inputs: list(FileFacts),
  /** Names of its outputs in the working directory. */
  outputs: list(text),
  production: Lineage.properties.production,
})

import { Type } from 'typebox'
import { type FlowView, RAW_STATES, type RawFileView, type RawState, type RunView } from '../../raw/index.ts'
import { literals } from './literals.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(of: T) => Type.Array(of)

export const State = literals(...RAW_STATES)
const seconds = maybe(Type.Number())

export const RawFlow = Type.Object({
  name: text,
  owner: text,
  scope: text,
  landing: text,
  archive: text,
  /** Second copies: what each place has, and what share it shall have. */
  centres: list(Type.Object({ storages: text, share: count, bytes: count })),
  /** In the order in which files go through them. */
  states: list(Type.Object({ state: State, files: count, bytes: count })),
  /** From recording on, 95th percentile in seconds, of the files that were recorded in the last day. */
  latency: maybe(
    Type.Object({
      files: count,
      verified: seconds,
      registered: seconds,
      archived: seconds,
      secondCopy: seconds,
      releasable: seconds,
    }),
  ),
})

export const RawRun = Type.Object({
  id: count,
  flow: text,
  experiment: count,
  run: count,
  dataset: text,
  /** open: being taken; closed: counted by the data acquisition; complete: all registered; released: all may go. */
  state: literals('open', 'closed', 'complete', 'released'),
  filesExpected: maybe(count),
  files: count,
  bytes: count,
  events: count,
  /** Files by state, in the order in which they go through them. */
  states: list(Type.Object({ state: State, files: count })),
  /** Files that do not go on by themselves. */
  problems: count,
  /** Where its second copies go. */
  centre: text,
  openedAt: time,
  closedAt: maybe(time),
  completedAt: maybe(time),
  releasedAt: maybe(time),
  /** When the oldest file was recorded that has no verified second copy yet. */
  unsafeSince: maybe(time),
})

export const RawFile = Type.Object({
  name: text,
  stream: text,
  bytes: count,
  events: count,
  adler32: text,
  state: State,
  problem: text,
  /** When it came to each state for the first time. */
  times: list(Type.Object({ state: State, at: time })),
  copies: list(
    Type.Object({
      rse: text,
      site: text,
      tape: Type.Boolean(),
      available: Type.Boolean(),
      verifiedAt: maybe(time),
    }),
  ),
})

export const flowAnswer = ({ name, account, scope, landing, archive, ...flow }: FlowView) => ({
  ...{ name, owner: account, scope, landing, archive },
  centres: flow.centres.map((centre) => ({
    ...centre,
    bytes: flow.centreBytes.get(centre.storages) ?? 0n,
  })),
  states: RAW_STATES.map((state) => ({ state, ...flow.states[state] })),
  latency: flow.latency && {
    ...{ files: flow.latency.files, verified: flow.latency.verified, registered: flow.latency.registered },
    ...{ archived: flow.latency.archived, secondCopy: flow.latency.secondCopy },
    releasable: flow.latency.releasable,
  },
})

export const runAnswer = ({ vo: _, flowId: _f, scope, dataset, states, ...run }: RunView) => ({
  ...run,
  dataset: `${scope}:${dataset}`,
  states: RAW_STATES.map((state) => ({ state, files: states[state] })),
})

export const fileAnswer = ({
  name,
  stream,
  bytes,
  events,
  adler32,
  state,
  problem,
  ...file
}: RawFileView) => ({
  ...{ name, stream, bytes, events, adler32, state, problem },
  times: RAW_STATES.flatMap((each: RawState) => {
    const at = file.times[each]
    return at ? [{ state: each, at }] : []
  }),
  copies: file.copies.map(({ rse, site, tape, available, verifiedAt }) => ({
    ...{ rse, site, tape, available, verifiedAt },
  })),
})

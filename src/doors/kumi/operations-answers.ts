import { Type } from 'typebox'
import { literals } from './literals.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])

const Entity = Type.Object({ kind: text, name: text })
const severity = literals('info', 'warn', 'error', 'critical')
export const Finding = Type.Object({
  rule: text,
  code: text,
  entity: Entity,
  within: Type.Array(Entity),
  severity,
  since: time,
  facts: Type.Record(text, Type.Union([Type.Number(), text])),
})
const Cause = Type.Object({
  entity: Entity,
  of: literals('jobs', 'transfers'),
  n: count,
  failed: count,
  score: Type.Number(),
  sites: Type.Array(text),
  templates: Type.Array(Type.Object({ text, n: count })),
})
export const Card = Type.Object({
  id: count,
  title: text,
  state: literals('NEW', 'ACK', 'WORKING', 'DOWNTIME', 'RETIRED', 'CLOSED'),
  severity,
  /** What is held to be ill; null where many fell ill at once and nobody knows why. */
  entity: maybe(Entity),
  cause: maybe(Cause),
  entities: Type.Array(Entity),
  findings: Type.Array(Finding),
  firstSeen: time,
  lastSeen: time,
  acknowledgedAt: maybe(time),
  owner: maybe(text),
  /** Until when its owner wants to be left alone with it. */
  expires: maybe(time),
  escalation: literals('none', 'expert', 'DC'),
  stale: Type.Boolean(),
  openedAt: time,
  closedAt: maybe(time),
  closedBy: maybe(text),
  mergedInto: maybe(count),
})
export const CardShown = Type.Object({
  card: Card,
  changes: Type.Array(Type.Object({ at: time, author: maybe(text), kind: text, text })),
})
export const MatrixShown = Type.Object({
  hours: Type.Array(time),
  sites: Type.Array(
    Type.Object({
      site: text,
      title: text,
      state: literals('ok', 'degraded', 'down', 'unknown'),
      reason: maybe(text),
      explanation: maybe(text),
      // An element for each hour.
      states: Type.Array(maybe(text)),
      n: Type.Array(count),
      failed: Type.Array(count),
      downtimes: Type.Array(maybe(literals('OUTAGE', 'WARNING'))),
      excluded: Type.Array(Type.Boolean()),
    }),
  ),
})
export const Test = Type.Object({
  site: text,
  kind: literals('site', 'storage'),
  name: text,
  test: literals('job', 'put', 'get', 'checksum', 'list', 'delete', 'port', 'clock'),
  at: time,
  ok: Type.Boolean(),
  /** False: it failed once and is repeated before anybody is told. */
  counts: Type.Boolean(),
  ms: count,
  message: text,
  offsetMs: maybe(Type.Number()),
})
export const Exclusion = Type.Object({
  id: count,
  site: text,
  resource: maybe(text),
  action: literals('exclude', 'throttle', 'keep'),
  reason: text,
  /** Null: the machine. */
  madeBy: maybe(text),
  madeAt: time,
  until: time,
})
export const EntityShown = Type.Object({
  kind: text,
  name: text,
  site: maybe(text),
  state: maybe(Type.Object({ state: text, reason: maybe(text), explanation: maybe(text) })),
  gateways: Type.Array(Type.Object({ name: text, lastSeenAt: maybe(time) })),
  downtimes: Type.Array(
    Type.Object({
      id: count,
      storage: maybe(text),
      resource: maybe(text),
      severity: literals('OUTAGE', 'WARNING'),
      startsAt: time,
      endsAt: time,
      reason: text,
      madeBy: text,
    }),
  ),
  exclusions: Type.Array(Exclusion),
  /** Counts of the last six hours in bins of ten minutes. */
  bins: Type.Array(
    Type.Object({
      start: time,
      measure: literals('jobs', 'pilots', 'transfers', 'tests'),
      n: count,
      failed: count,
    }),
  ),
  tests: Type.Array(Test),
  cards: Type.Array(Type.Object({ id: count, title: text, state: text, severity })),
  findings: Type.Array(Finding),
})

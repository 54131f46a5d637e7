import { Type } from 'typebox'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(of: T) => Type.Array(of)

export const Site = Type.Object({
  name: text,
  title: text,
  country: text,
  latitude: Type.Number(),
  longitude: Type.Number(),
  state: Type.Union([
    Type.Literal('ok'),
    Type.Literal('degraded'),
    Type.Literal('down'),
    Type.Literal('unknown'),
  ]),
  reason: maybe(text),
  explanation: maybe(text),
  gateway: maybe(text),
  endpoint: maybe(text),
  version: maybe(text),
  lastSeen: maybe(time),
  storages: list(text),
  files: count,
  usedBytes: count,
  totalBytes: count,
})

export const Link = Type.Object({
  source: text,
  destination: text,
  sourceSite: maybe(text),
  destinationSite: maybe(text),
  active: count,
  done: count,
  failed: count,
  bytes: count,
  rateBytesPerSecond: Type.Number(),
  maxActive: maybe(count),
  rationale: text,
  blockedUntil: maybe(time),
  blockedReason: maybe(text),
  lastError: maybe(text),
})

export const Transfer = Type.Object({
  id: text,
  scope: text,
  name: text,
  source: maybe(text),
  destination: text,
  bytes: count,
  bytesDone: count,
  state: text,
  attempts: count,
  error: maybe(text),
  activity: text,
  createdAt: time,
  startedAt: maybe(time),
  finishedAt: maybe(time),
  notBefore: maybe(time),
  deadline: maybe(time),
})

export const TransferExplained = Type.Object({
  transfer: Transfer,
  sources: list(Type.Object({ storage: text, state: text, readable: Type.Boolean() })),
  link: maybe(Link),
  because: text,
  downtime: maybe(Type.Object({ name: text, until: time, reason: text })),
})

export const Rule = Type.Object({
  id: text,
  scope: text,
  name: text,
  type: text,
  account: text,
  expression: text,
  copies: count,
  grouping: text,
  state: text,
  reason: maybe(text),
  activity: text,
  comments: maybe(text),
  createdAt: time,
  updatedAt: time,
  expiresAt: maybe(time),
  stuckAt: maybe(time),
  files: count,
  bytes: count,
  missing: count,
  moving: count,
  failed: count,
  missingBytes: count,
})

export const RuleExplained = Type.Object({
  rule: Rule,
  placements: list(Type.Object({ scope: text, name: text, storage: text, files: count, missing: count })),
  gaps: list(
    Type.Object({
      scope: text,
      name: text,
      bytes: count,
      storage: text,
      state: text,
      attempts: count,
      error: maybe(text),
      nextTry: time,
      createdAt: time,
      transfer: maybe(text),
    }),
  ),
  reasons: list(Type.Object({ message: text, count, storages: list(text) })),
})

export const Now = Type.Object({
  at: time,
  attention: list(
    Type.Unknown({
      description: 'One thing that needs a person: kind site, rule, link, bad_copies or software.',
    }),
  ),
  totals: Type.Object({
    datasets: count,
    files: count,
    bytes: count,
    safeDatasets: count,
    safeFiles: count,
    copies: count,
    copyBytes: count,
    rulesOk: count,
    rulesWorking: count,
    rulesStuck: count,
    transfersActive: count,
    transfersQueued: count,
    transfersRetrying: count,
  }),
  sites: list(Site),
  flows: list(Link),
})

export const Grid = Type.Object({ vo: text, version: text, issuer: text })
export const Me = Type.Object({
  account: maybe(text),
  vo: text,
  admin: Type.Boolean(),
  /** Actions that are allowed with anything in the VO. */
  may: list(text),
  /** Paths of the groups that the caller manages. */
  manages: list(text),
})
export const answerOf = {
  sites: Type.Object({ sites: list(Site) }),
  links: Type.Object({ links: list(Link) }),
  transfers: Type.Object({ transfers: list(Transfer) }),
  rules: Type.Object({ rules: list(Rule) }),
}

import { Type } from 'typebox'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])

export const RepositoryLine = Type.Object({
  name: text,
  title: text,
  algorithm: text,
  revision: count,
  rootHash: maybe(text),
  publishedAt: maybe(time),
  whitelistExpiresAt: maybe(time),
  /** Addresses of the original, if it is a mirror. */
  mirrorOf: maybe(Type.Array(text)),
})
export const Mirror = Type.Object({
  name: text,
  urls: Type.Array(text),
  account: text,
  revision: count,
  checkedAt: time,
  failedAt: maybe(time),
  failure: maybe(text),
  copyWanted: Type.Boolean(),
  copyComplete: Type.Boolean(),
  copiedRevision: maybe(count),
  copiedAt: maybe(time),
  copyObjects: count,
  copyBytes: count,
  copyFailure: maybe(text),
})
export const Tag = Type.Object({
  name: text,
  revision: count,
  rootHash: text,
  description: text,
  account: text,
  at: time,
})
/** Below this path somebody else has to approve what is published; who said so. */
export const Approval = Type.Object({ path: text, account: text, at: time })
/** Of a proposal: it waits until then for somebody who approves it. */
const Proposed = maybe(Type.Object({ id: text, expiresAt: time }))
export const Proposal = Type.Object({
  id: text,
  repository: text,
  /** publish, rollback, tag or untag */
  kind: text,
  path: text,
  account: text,
  source: text,
  base: count,
  proposedAt: time,
  expiresAt: time,
  /** proposed, committed, rejected, cancelled or expired */
  state: text,
  tag: maybe(text),
  description: text,
  ofRevision: maybe(count),
  rootHash: maybe(text),
  put: count,
  removed: count,
  files: maybe(count),
  bytes: maybe(count),
  decidedAt: maybe(time),
  decidedBy: maybe(text),
  reason: text,
  revision: maybe(count),
  /** This revision changed the same since; it cannot be approved any more. */
  overtakenBy: maybe(count),
  /** Whoever asks proposed it. */
  mine: Type.Boolean(),
  /** Whoever asks may approve or reject it. */
  mayDecide: Type.Boolean(),
})
export const Repository = Type.Object({
  ...RepositoryLine.properties,
  approvals: Type.Array(Approval),
  renewsItself: Type.Boolean(),
  masterPublicPem: text,
  certificates: Type.Array(Type.Object({ createdAt: time, listedUntil: maybe(time) })),
  tags: Type.Array(Tag),
  objects: count,
  usedBytes: count,
  storedBytes: count,
  mirror: maybe(Mirror),
})
export const Revision = Type.Object({
  revision: count,
  rootHash: text,
  kind: text,
  path: text,
  account: text,
  source: text,
  at: time,
  put: count,
  removed: count,
  /** Of its tree; null: not counted. */
  files: maybe(count),
  bytes: maybe(count),
  approvedBy: maybe(text),
  droppedAt: maybe(time),
})
export const Opened = Type.Object({
  id: text,
  algorithm: text,
  revision: count,
  rootHash: maybe(text),
  touchedBy: count,
  /** There is no content yet, so that none need be asked for. */
  bare: Type.Boolean(),
  /** When the repository was made: another one of its name is not this one. */
  madeAt: time,
  expiresAt: time,
})
export const Made = Type.Object({
  /** The newest one, as before, when it is a proposal. */
  revision: count,
  rootHash: text,
  put: count,
  removed: count,
  proposal: Proposed,
})
export const Tagged = Type.Object({ ...Repository.properties, proposal: Proposed })
export const Plan = Type.Object({
  revisions: Type.Array(count),
  kept: Type.Array(count),
  objects: count,
  bytes: count,
})
const TreeEntry = Type.Object({
  name: text,
  path: text,
  kind: text,
  mode: text,
  modifiedAt: time,
  size: count,
  target: maybe(text),
})
export const Seen = Type.Object({
  revision: count,
  entry: TreeEntry,
  /** What is in a directory, the first by name. */
  content: Type.Array(TreeEntry),
  /** How many are in it. */
  count,
  /** Of the whole revision. */
  files: count,
  bytes: count,
  /** The beginning of a file of text. */
  text: maybe(text),
  cut: Type.Boolean(),
})
export const Compared = Type.Object({
  added: count,
  changed: count,
  removed: count,
  /** The first by name. */
  paths: Type.Array(
    Type.Object({ path: text, what: text, kind: text, before: maybe(count), after: maybe(count) }),
  ),
  /** False: there was too much to compare all of it. */
  whole: Type.Boolean(),
})

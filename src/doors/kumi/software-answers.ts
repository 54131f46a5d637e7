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
export const Repository = Type.Object({
  ...RepositoryLine.properties,
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
  droppedAt: maybe(time),
})
export const Opened = Type.Object({
  id: text,
  algorithm: text,
  revision: count,
  rootHash: maybe(text),
  touchedBy: count,
  expiresAt: time,
})
export const Made = Type.Object({ revision: count, rootHash: text, put: count, removed: count })
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

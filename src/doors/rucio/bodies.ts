import { type Static, Type } from 'typebox'
import type { Did, Metadata, NewReplica } from '../../catalog/index.ts'
import { badRequest } from './errors.ts'

/** Shapes that several nouns of the client share. */
const Text = Type.Union([Type.String(), Type.Null()])
const Flag = Type.Union([Type.Boolean(), Type.Null()])

export const DidBody = Type.Object({ scope: Type.String(), name: Type.String() })
export const DidsBody = Type.Object({ dids: Type.Array(DidBody) })

export const FileBody = Type.Object({
  scope: Type.String(),
  name: Type.String(),
  bytes: Type.Optional(Type.Union([Type.Number({ minimum: 0 }), Type.Null()])),
  adler32: Type.Optional(Text),
  md5: Type.Optional(Text),
  guid: Type.Optional(Text),
  meta: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
  pfn: Type.Optional(Text),
  state: Type.Optional(Text),
})
export type FileBody = Static<typeof FileBody>

export const RuleBody = Type.Object({
  dids: Type.Optional(Type.Array(DidBody)),
  copies: Type.Union([Type.Integer({ minimum: 1, maximum: 100 }), Type.String()]),
  rse_expression: Type.String({ minLength: 1 }),
  account: Type.Optional(Text),
  grouping: Type.Optional(Text),
  weight: Type.Optional(Text),
  lifetime: Type.Optional(Type.Union([Type.Number(), Type.String(), Type.Null()])),
  locked: Type.Optional(Flag),
  source_replica_expression: Type.Optional(Text),
  activity: Type.Optional(Text),
  notify: Type.Optional(Text),
  purge_replicas: Type.Optional(Flag),
  ignore_availability: Type.Optional(Flag),
  comment: Type.Optional(Text),
  priority: Type.Optional(Type.Union([Type.Integer(), Type.String(), Type.Null()])),
  meta: Type.Optional(Type.Unknown()),
  ask_approval: Type.Optional(Flag),
  delay_injection: Type.Optional(Type.Unknown()),
})
export type RuleBody = Static<typeof RuleBody>

export const CollectionBody = Type.Object({
  type: Type.String(),
  statuses: Type.Optional(Type.Union([Type.Object({ monotonic: Type.Optional(Flag) }), Type.Null()])),
  meta: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
  rules: Type.Optional(Type.Union([Type.Array(RuleBody), Type.Null()])),
  lifetime: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  dids: Type.Optional(Type.Union([Type.Array(FileBody), Type.Null()])),
  rse: Type.Optional(Text),
})
export type CollectionBody = Static<typeof CollectionBody>

/** A file as the client sends it, with sizes and checksums in the catalogue's forms. */
export function newReplica(file: FileBody): NewReplica {
  if (typeof file.bytes !== 'number') {
    throw badRequest(`The size of ${file.scope}:${file.name} is missing (field "bytes").`)
  }
  return { ...partialReplica(file), bytes: BigInt(file.bytes) }
}

/** What of a file's content the client told; checksums in lower case, so that equal ones are equal. */
export function partialReplica(file: FileBody): Did & Partial<NewReplica> {
  const { guid: metaGuid, ...meta } = (file.meta ?? {}) as Record<string, unknown>
  const guid = file.guid ?? (typeof metaGuid === 'string' ? metaGuid : null)
  return {
    scope: file.scope,
    name: file.name,
    ...(typeof file.bytes === 'number' && { bytes: BigInt(file.bytes) }),
    ...(file.adler32 && { adler32: file.adler32.toLowerCase().padStart(8, '0') }),
    ...(file.md5 && { md5: file.md5.toLowerCase() }),
    ...(guid && { guid: guidText(guid) }),
    ...(Object.keys(meta).length > 0 && { meta: meta as Metadata }),
    ...(file.state && { state: newState(file.state) }),
  }
}

function guidText(guid: string): string {
  const hex = guid.replaceAll('-', '').toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(hex)) throw badRequest(`"${guid.slice(0, 60)}" is not a GUID.`)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function newState(letter: string): 'AVAILABLE' | 'COPYING' | 'UNAVAILABLE' {
  if (letter === 'A' || letter === 'AVAILABLE') return 'AVAILABLE'
  if (letter === 'C' || letter === 'COPYING') return 'COPYING'
  if (letter === 'U' || letter === 'UNAVAILABLE') return 'UNAVAILABLE'
  throw badRequest(`A new copy is A, C or U, not "${letter.slice(0, 20)}".`)
}

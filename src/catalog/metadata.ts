import { type Db, transaction } from '../kernel/index.ts'
import { isPlainText } from '../kernel/plain-text.ts'
import { didText } from './codes.ts'
import { getDids, resolveDids, setStatus } from './did.ts'
import { invalidMetadata, keyNotFound } from './errors.ts'
import * as store from './metadata.store.ts'
import type { AnyDid, Did, KnownDid, Metadata, MetadataValue } from './types.ts'

/** Facts of the catalogue itself: read like metadata, never set like it. */
const READ_ONLY = new Set(
  'scope name did_type type account account_id bytes length adler32 md5 is_open open monotonic availability created_at updated_at closed_at deleted_at'.split(
    ' ',
  ),
)
const VIRTUAL = new Set(['lifetime', 'expired_at', 'guid'])
/** Columns foreign clients expect to be there, set or not; kept in the document like any free key. */
const CONVENTIONAL =
  'events project datatype run_number stream_name prod_step version campaign task_id panda_id lumiblocknr provenance phys_group transient purge_replicas accessed_at access_cnt eol_at is_archive constituent hidden obsolete complete suppressed is_new'.split(
    ' ',
  )
const CONVENTIONAL_KEYS = new Set(CONVENTIONAL)
const GUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i
const MAX_DEPTH = 20
const MAX_TEXT = 65_536
const MAX_LIFETIME_S = 1e10

/** Sets keys of names; `recursive` also of everything below. A null value deletes the key. */
export async function setMetadata(
  db: Db,
  input: { vo: string; now: Date; changes: readonly (Did & { meta: Metadata })[]; recursive?: boolean },
): Promise<void> {
  const { vo, now, changes, recursive = false } = input
  for (const change of changes) checkKeys(change)
  await transaction(db, async (tx) => {
    const dids = await resolveDids(tx, { vo, dids: changes })
    const documents: store.MetaChange[] = []
    for (const [i, did] of dids.entries()) {
      const meta = changes[i]!.meta
      await setVirtual(tx, vo, now, did, meta)
      const free = Object.entries(meta).filter(([key]) => !VIRTUAL.has(key))
      if (free.length > 0) documents.push({ id: did.id, meta: Object.fromEntries(free) })
    }
    if (documents.length > 0) await store.patchDocuments(tx, { now, changes: documents, recursive })
  })
}

function checkKeys({ meta, ...did }: Did & { meta: Metadata }): void {
  for (const [key, value] of Object.entries(meta)) {
    if (READ_ONLY.has(key)) {
      throw invalidMetadata(`${didText(did)}: "${key}" is kept by the catalogue and cannot be set.`, { key })
    }
    if (key === '' || key.length > 255 || !isPlainText(key)) {
      throw invalidMetadata(`${didText(did)}: a metadata key has 1 to 255 characters, none of them NUL.`)
    }
    const problem = valueProblem(value)
    if (problem) throw invalidMetadata(`${didText(did)}, key "${key}": ${problem}.`, { key })
  }
}

/** What makes a value unfit to be kept or compared, if anything. */
export function valueProblem(value: unknown, depth = 0): string | undefined {
  if (depth > MAX_DEPTH) return `nested deeper than ${MAX_DEPTH}`
  switch (typeof value) {
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : 'not a finite number'
    case 'string':
      if (value.length > MAX_TEXT) return `text longer than ${MAX_TEXT} characters`
      return isPlainText(value) ? undefined : 'the text holds NUL or half characters'
    case 'object': {
      if (value === null) return undefined
      const inner = Array.isArray(value) ? value : [...Object.keys(value), ...Object.values(value)]
      for (const item of inner) {
        const problem = valueProblem(item, depth + 1)
        if (problem) return problem
      }
      return undefined
    }
    default:
      return 'use text, a number, true, false, null, a list or an object'
  }
}

async function setVirtual(db: Db, vo: string, now: Date, did: KnownDid, meta: Metadata): Promise<void> {
  const own = (key: string): MetadataValue | undefined => (Object.hasOwn(meta, key) ? meta[key] : undefined)
  const lifetime = own('lifetime')
  const expiredAt = own('expired_at')
  if (lifetime !== undefined || expiredAt !== undefined) {
    if (did.kind === 'FILE') {
      throw invalidMetadata(`${didText(did)} is a file; only datasets and containers have an end of life.`)
    }
    const expiresAt = lifetime !== undefined ? endOfLife(lifetime, now) : dateOf(expiredAt ?? null)
    await setStatus(db, { vo, now, scope: did.scope, name: did.name, expiresAt })
  }
  const guid = own('guid')
  if (guid === undefined) return
  if (did.kind !== 'FILE') throw invalidMetadata(`${didText(did)} is a collection; only files have a GUID.`)
  if (guid !== null && !(typeof guid === 'string' && GUID.test(guid))) {
    throw invalidMetadata(`${didText(did)}: guid must be 32 hexadecimal digits.`)
  }
  await store.updateGuid(db, did.id, guid)
}

function endOfLife(lifetime: MetadataValue, now: Date): Date | null {
  if (lifetime === null) return null
  const seconds = typeof lifetime === 'string' && lifetime.trim() !== '' ? Number(lifetime) : lifetime
  if (typeof seconds !== 'number' || !(Math.abs(seconds) <= MAX_LIFETIME_S)) {
    throw invalidMetadata('lifetime is a number of seconds, or null for no end.')
  }
  return new Date(now.getTime() + seconds * 1000)
}

function dateOf(value: MetadataValue): Date | null {
  if (value === null) return null
  const date = typeof value === 'string' ? parseDate(value) : undefined
  if (!date) throw invalidMetadata('expired_at is a date like 2027-01-31T00:00:00Z, or null for no end.')
  return date
}

const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/

/** A date as people and clients write it, UTC unless it says otherwise; undefined if it is none. */
export function parseDate(text: string): Date | undefined {
  const match = DATE.exec(text)
  if (!match) return undefined
  const iso = text.replace(' ', 'T').replace(/([+-]\d\d)(\d\d)$/, '$1:$2')
  const date = new Date(match[1] || iso.length === 10 ? iso : `${iso}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** Throws metadata_key_not_found. */
export async function deleteMetadata(
  db: Db,
  input: { vo: string; now: Date; key: string } & Did,
): Promise<void> {
  const { vo, now, key, scope, name } = input
  if (READ_ONLY.has(key)) {
    throw invalidMetadata(`${didText(input)}: "${key}" is kept by the catalogue and cannot be deleted.`)
  }
  const missing = keyNotFound(`${didText(input)} has no metadata key "${key.slice(0, 60)}".`)
  if (!isPlainText(key)) throw missing
  await transaction(db, async (tx) => {
    const [did] = await getDids(tx, { vo, dids: [{ scope, name }] })
    if (!did) throw missing
    if (VIRTUAL.has(key)) {
      const set =
        did.kind === 'FILE' ? key === 'guid' && did.guid !== null : key !== 'guid' && did.expiresAt !== null
      if (!set) throw missing
      await setVirtual(tx, vo, now, did, { [key]: null })
      return
    }
    const removed = await store.removeKey(tx, { now, id: did.id, file: did.kind === 'FILE', key })
    if (removed === 0) throw missing
  })
}

export interface DidMetadata extends Did {
  /** Free keys. */
  readonly meta: Metadata
  /** Virtual columns (did_type, account_id, bytes, length, …) and the conventional ones, null when unset. */
  readonly columns: Readonly<Record<string, MetadataValue | bigint | Date>>
}
/** Metadata of names in the order asked; `inherit` lays a file's own keys over its datasets'. */
export async function getMetadata(
  db: Db,
  input: { vo: string; dids: readonly Did[]; inherit?: boolean },
): Promise<DidMetadata[]> {
  const dids = await getDids(db, input)
  const ids = [...new Set(dids.map((did) => did.id))]
  const documents = new Map<bigint, Record<string, MetadataValue>>()
  const lay = ({ id, doc }: { id: bigint; doc: Record<string, MetadataValue> }) =>
    documents.set(id, { ...documents.get(id), ...doc })
  if (input.inherit) for (const found of await store.selectInherited(db, ids)) lay(found)
  for (const found of await store.selectDocuments(db, ids)) lay(found)
  return dids.map((did) => {
    const doc = documents.get(did.id) ?? {}
    const free = Object.entries(doc).filter(([key]) => !CONVENTIONAL_KEYS.has(key))
    const conventional = CONVENTIONAL.map((key) => [key, doc[key] ?? null] as const)
    return {
      scope: did.scope,
      name: did.name,
      meta: Object.fromEntries(free),
      columns: { ...Object.fromEntries(conventional), ...columnsOf(did) },
    }
  })
}

function columnsOf(did: AnyDid): Record<string, MetadataValue | bigint | Date> {
  const { scope, name, kind, accountId, bytes, createdAt } = did
  const common = {
    scope,
    name,
    did_type: kind,
    account_id: accountId,
    bytes,
    created_at: createdAt,
    deleted_at: null,
  }
  if (did.kind === 'FILE') {
    const { adler32, md5, guid, availability } = did
    const none = { is_open: null, monotonic: null, expired_at: null, closed_at: null }
    return { ...common, ...none, length: 1n, adler32, md5, guid, availability, updated_at: createdAt }
  }
  const none = { adler32: null, md5: null, guid: null, availability: null }
  return {
    ...{ ...common, ...none, length: did.files, is_open: did.open, monotonic: did.monotonic },
    ...{ updated_at: did.updatedAt, expired_at: did.expiresAt, closed_at: did.closedAt },
  }
}

import { createHash } from 'node:crypto'
import type { Db } from '../../kernel/database.ts'
import type { AuditEntry, AuditFilter } from './audit.store.ts'
import * as store from './audit.store.ts'

export type { AuditEntry, AuditFilter } from './audit.store.ts'

export interface AuditRecord extends Required<AuditEntry> {
  readonly seq: bigint
  readonly at: Date
  /** SHA-256 over the hash before it and this entry, in hex. */
  readonly hash: string
}

export interface AuditVerdict {
  readonly entries: bigint
  /** Hash of the last entry; keep it elsewhere to notice later that the end was cut off. */
  readonly head: string
  /** Number of the first entry that is not what it was, or null. */
  readonly brokenAt: bigint | null
}

export interface Audit {
  /** Appends to the log in the caller's transaction: no change without its entry, no entry without its change. */
  audit(tx: Db, ...entries: readonly AuditEntry[]): Promise<void>
  /** Entries of a VO, newest first, at most 1000. */
  auditLog(vo: string, filter?: AuditFilter): Promise<AuditRecord[]>
  /** Recomputes every hash of the log, outside the database. */
  verifyAuditChain(): Promise<AuditVerdict>
}

const MOST = 1000

export function createAudit(db: Db, now: () => Date): Audit {
  return {
    async audit(tx, ...entries) {
      if (entries.length > 0) await store.insertEntries(tx, entries, now())
    },
    async auditLog(vo, filter = {}) {
      const limit = Math.min(Math.max(1, filter.limit ?? 100), MOST)
      const found = await store.selectEntries(db, vo, { ...filter, limit })
      return found.map(({ detail, hash, ...rest }) => ({
        ...rest,
        detail: JSON.parse(detail),
        hash: hash.toString('hex'),
      }))
    },
    async verifyAuditChain() {
      let entries = 0n
      let before: Buffer = Buffer.alloc(0)
      for await (const page of store.everyEntry(db)) {
        for (const entry of page) {
          entries++
          const right = linkOf(before, entry)
          if (entry.seq !== entries || !entry.previous.equals(before) || !entry.hash.equals(right)) {
            return { entries, head: before.toString('hex'), brokenAt: entries }
          }
          before = right
        }
      }
      return { entries, head: before.toString('hex'), brokenAt: null }
    },
  }
}

const sha256 = (...parts: readonly (string | Buffer)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** As `audit_link()` of the database computes it: each field is hashed first, so that none can lend text to another. */
function linkOf(before: Buffer, entry: store.StoredEntry): Buffer {
  const { seq, at, vo, actor, action, target, detail } = entry
  const fields = [String(seq), at.toISOString(), vo, actor, action, target, detail]
  return sha256(before, ...fields.map((field) => sha256(field)))
}

import { type Db, type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock, Ids } from '../kernel/ports.ts'
import type { IssuingAuthority } from './certificates/certificate.ts'
import { type Audit, createAudit } from './people/audit.ts'
import type { SendMail } from './people/outgoing-mail.ts'
import type { ProxyAttributes } from './voms/proxy-attributes.ts'
import type { TrustDirectory } from './x509/index.ts'

export interface IdentityOptions {
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** `https://localhost:7443`: the issuer of VO `demo` is `<issuerBase>/iam/demo`. */
  readonly issuerBase: string
  /** 32 bytes kept outside the database. */
  readonly sealKey: Uint8Array
  /** Directories below a VO's storage area that hold nothing but an account's own; none when absent. */
  readonly areasOf?: (vo: string, accountId: number) => Promise<readonly string[]>
  /** Issues short-lived certificates; without it nobody gets one here. */
  readonly issuingAuthority?: IssuingAuthority
  /** Authorities of certificates; without it no credentials are taken in. */
  readonly trust?: TrustDirectory
  /** GETs documents of issuers of others, with every address checked; without it none can be trusted. */
  readonly fetchDocument?: (url: string) => Promise<Uint8Array>
  /** Their passwords come from elsewhere at every start, and are not changed here. */
  readonly passwordsFromHome?: (vo: string, name: string) => boolean
  /** Sends mails; without it they stay in the outbox, for managers to read. */
  readonly sendMail?: SendMail
  /** Reads what VOMS says in proxies; without it groups come from memberships alone. */
  readonly proxyAttributes?: ProxyAttributes
}

/** What the parts of identity share. */
export interface Context extends Audit {
  readonly db: Db
  readonly ids: Ids
  readonly log: Logger
  readonly sealKey: Uint8Array
  areasOf(vo: string, accountId: number): Promise<readonly string[]>
  readonly fetchDocument: ((url: string) => Promise<Uint8Array>) | undefined
  now(): Date
  sleep(ms: number): Promise<void>
  issuer(vo: string): string
  /** Short-lived memory of what the database said; emptied by every change made here and by `forget`. */
  memory<T>(): Memory<T>
  forget(): void
  /** One use case that changes something: a transaction, its event, and no stale memory afterwards. */
  changing<T>(vo: string, subject: string, work: (tx: Db) => Promise<T>): Promise<T>
  /** The same over an open transaction, for a use case made of others. */
  within(tx: Db): Context
}

export interface Memory<T> {
  get(key: string, make: () => Promise<T>): Promise<T>
}

const KEPT_MS = 2000
const MOST_KEPT = 5000

export function createContext(options: IdentityOptions): Context {
  const { db, ids, log, sealKey } = options
  const now = () => options.clock.now()
  const memories: Map<string, unknown>[] = []
  const forget = (): void => {
    for (const memory of memories) memory.clear()
  }
  const on = (db: Db): Context => ({
    ...createAudit(db, now),
    db,
    ids,
    log,
    sealKey,
    areasOf: options.areasOf ?? (async () => []),
    fetchDocument: options.fetchDocument,
    now,
    sleep: (ms) => options.clock.sleep(ms),
    issuer: (vo) => `${options.issuerBase}/iam/${vo}`,
    memory<T>(): Memory<T> {
      const kept = new Map<string, { at: number; value: Promise<T> }>()
      memories.push(kept)
      return {
        get(key, make) {
          const known = kept.get(key)
          if (known && now().getTime() - known.at < KEPT_MS) return known.value
          if (kept.size >= MOST_KEPT) kept.clear()
          const made = { at: now().getTime(), value: make() }
          kept.set(key, made)
          // A failure is not worth remembering.
          made.value.catch(() => {
            if (kept.get(key) === made) kept.delete(key)
          })
          return made.value
        },
      }
    },
    forget,
    async changing(vo, subject, work) {
      const done = await transaction(db, async (tx) => {
        const result = await work(tx)
        await publish(tx as Tx, now(), [{ vo, kind: 'identity.changed', subject }])
        return result
      })
      forget()
      return done
    },
    within: on,
  })
  return on(db)
}

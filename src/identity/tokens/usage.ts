import type { Context } from '../context.ts'
import type { AuditEntry } from '../people/audit.ts'
import { updateLastUsed } from './clients.store.ts'
import { updateGrantsUsed } from './grants.store.ts'
import { updateSessionsSeen } from './sessions.store.ts'

/** What is written down about a token; never the token. */
export interface IssuedToken {
  readonly vo: string
  /** Client, account, or `grid`. */
  readonly actor: string
  readonly jti: string
  readonly sub: string
  readonly scope: string
  readonly aud: readonly string[]
  readonly exp: string
  readonly grant?: string
}

/** Who used and got what and when, written in batches so that no request waits for it. */
export interface Usage {
  client(vo: string, id: string): void
  grant(id: string): void
  session(hash: Buffer): void
  issued(token: IssuedToken): void
  /** Writes what has gathered. */
  flush(): Promise<void>
}

const GATHER_MS = 1000
const MOST_GATHERED = 5000
const MOST_IN_ENTRY = 200

export function createUsage(context: Context): Usage {
  const { db, now, log } = context
  let clients = new Map<string, { vo: string; id: string; at: Date }>()
  let grants = new Map<string, { id: string; at: Date }>()
  let sessions = new Map<string, { hash: string; at: Date }>()
  let tokens: IssuedToken[] = []
  let gathering = false
  let writing: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    const [c, g, s, t] = [[...clients.values()], [...grants.values()], [...sessions.values()], tokens]
    clients = new Map()
    grants = new Map()
    sessions = new Map()
    tokens = []
    if (t.length > 0) {
      await context.audit(db, ...entriesOf(t)).catch((error) => {
        // Who got a token must be known; the database will come back.
        tokens = [...t, ...tokens].slice(0, 10 * MOST_GATHERED)
        throw error
      })
    }
    if (c.length > 0) await updateLastUsed(db, c)
    if (g.length > 0) await updateGrantsUsed(db, g)
    if (s.length > 0) await updateSessionsSeen(db, s)
  }
  /** One after the other: whoever waits for what has gathered also waits for what is being written. */
  const flush = (): Promise<void> => {
    const written = writing.then(write)
    writing = written.catch(() => {})
    return written
  }
  const flushed = () => flush().catch((error) => log.warn({ err: error }, 'use not noted'))
  const gather = (): void => {
    if (tokens.length === MOST_GATHERED) void flushed()
    if (gathering) return
    gathering = true
    void context.sleep(GATHER_MS).then(() => {
      gathering = false
      return flushed()
    })
  }
  return {
    client(vo, id) {
      clients.set(`${vo} ${id}`, { vo, id, at: now() })
      gather()
    },
    grant(id) {
      grants.set(id, { id, at: now() })
      gather()
    },
    session(bytes) {
      const hash = bytes.toString('hex')
      sessions.set(hash, { hash, at: now() })
      gather()
    },
    issued(token) {
      tokens.push(token)
      gather()
    },
    flush,
  }
}

/** One entry for all that an actor got in the meantime: the log is one chain, and the issuer must not wait for it. */
function entriesOf(tokens: readonly IssuedToken[]): AuditEntry[] {
  const byActor = new Map<string, IssuedToken[]>()
  for (const token of tokens) {
    const key = `${token.vo} ${token.actor}`
    const list = byActor.get(key)
    if (list) list.push(token)
    else byActor.set(key, [token])
  }
  return [...byActor.values()].flatMap((list) => {
    const { vo, actor } = list[0]!
    const parts = Array.from({ length: Math.ceil(list.length / MOST_IN_ENTRY) }, (_, i) =>
      list.slice(i * MOST_IN_ENTRY, (i + 1) * MOST_IN_ENTRY),
    )
    return parts.map((part) => ({
      ...{ vo, actor, action: 'token.issued', target: actor },
      detail: { tokens: part.map(({ vo: _vo, actor: _actor, ...facts }) => facts) },
    }))
  })
}

import type { Context } from '../context.ts'
import { updateLastUsed } from './clients.store.ts'
import { updateGrantsUsed } from './grants.store.ts'
import { updateSessionsSeen } from './sessions.store.ts'

/** Who used what and when, written in batches so that no request waits for it. */
export interface Usage {
  client(vo: string, id: string): void
  grant(id: string): void
  session(hash: Buffer): void
  /** Writes what has gathered. */
  flush(): Promise<void>
}

const GATHER_MS = 1000

export function createUsage(context: Context): Usage {
  const { db, now, log } = context
  const clients = new Map<string, { vo: string; id: string; at: Date }>()
  const grants = new Map<string, { id: string; at: Date }>()
  const sessions = new Map<string, { hash: string; at: Date }>()
  let gathering = false
  const self: Usage = {
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
    async flush() {
      const taken = [clients, grants, sessions].map((map) => [...map.values()])
      for (const map of [clients, grants, sessions]) map.clear()
      const [c, g, s] = taken as [
        { vo: string; id: string; at: Date }[],
        { id: string; at: Date }[],
        { hash: string; at: Date }[],
      ]
      if (c.length > 0) await updateLastUsed(db, c)
      if (g.length > 0) await updateGrantsUsed(db, g)
      if (s.length > 0) await updateSessionsSeen(db, s)
    },
  }
  function gather(): void {
    if (gathering) return
    gathering = true
    void context.sleep(GATHER_MS).then(() => {
      gathering = false
      return self.flush().catch((error) => log.warn({ err: error }, 'last use not noted'))
    })
  }
  return self
}

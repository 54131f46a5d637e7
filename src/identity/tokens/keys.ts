import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { transaction } from '../../kernel/database.ts'
import { seal, unseal } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import { keysUnavailable, voMissing } from '../errors.ts'
import { insertKey, lockKeys, type SealedKey, selectKeys } from './keys.store.ts'
import { importKey, type PublicKey } from './token.ts'
import type { JwksDocument } from './token-verifier.ts'

export interface Keys {
  /** The VO's public keys: all that are not retired. Throws vo_missing. */
  jwks(vo: string): Promise<JwksDocument>
  publicKey(vo: string, kid: string): Promise<PublicKey | undefined>
  signingKey(vo: string): Promise<{ kid: string; key: KeyObject }>
  /** Makes the next key of each VO that needs one; safe to call often and from everywhere. */
  rotate(vos: readonly string[], now: Date): Promise<{ created: number }>
}

const DAY_MS = 86_400_000
const SIGNS_MS = 30 * DAY_MS
/** Verifiers that cache keys see a new one long before it signs. */
const PUBLISHED_AHEAD_MS = 4 * DAY_MS
/** A retired key is published until the last token it signed has expired, and far beyond. */
const STAYS_MS = 6 * DAY_MS

export function createKeys(context: Context): Keys {
  const { db, ids, sealKey } = context
  const memory = context.memory<SealedKey[]>()
  const keysOf = (vo: string) => memory.get(vo, () => selectKeys(db, vo, context.now()))
  return {
    async jwks(vo) {
      const known = await keysOf(vo)
      if (known.length === 0) throw voMissing(`There is no VO ${vo} here.`)
      return { keys: known.map(({ jwk, kid }) => ({ ...jwk, kid, alg: 'ES256', use: 'sig' })) }
    },
    async publicKey(vo, kid) {
      const found = (await keysOf(vo)).find((key) => key.kid === kid)
      return found && importKey({ ...found.jwk, kid })
    },
    async signingKey(vo) {
      const at = context.now()
      const newest = (await keysOf(vo)).filter((key) => key.activeFrom <= at).at(-1)
      if (!newest) throw keysUnavailable(`VO ${vo} has no signing key yet; try again.`)
      const opened = unseal(newest.sealed, sealKey)
      return { kid: newest.kid, key: createPrivateKey({ key: opened, format: 'der', type: 'pkcs8' }) }
    },
    async rotate(vos, at) {
      let created = 0
      for (const vo of vos) {
        created += await transaction(db, async (tx) => {
          await lockKeys(tx, vo)
          const newest = (await selectKeys(tx, vo, at)).at(-1)
          if (newest && newest.activeFrom.getTime() + SIGNS_MS - PUBLISHED_AHEAD_MS > at.getTime()) return 0
          // The first key signs at once: nobody has cached anything.
          const activeFrom = new Date(at.getTime() + (newest ? PUBLISHED_AHEAD_MS : 0))
          const retireAt = new Date(activeFrom.getTime() + SIGNS_MS + STAYS_MS)
          await insertKey(tx, vo, { kid: ids.uuid(), activeFrom, ...freshPair(sealKey) }, retireAt, at)
          return 1
        })
      }
      if (created > 0) {
        context.forget()
        context.log.info({ created }, 'signing keys made')
      }
      return { created }
    },
  }
}

function freshPair(sealKey: Uint8Array): Pick<SealedKey, 'jwk' | 'sealed'> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    jwk: publicKey.export({ format: 'jwk' }) as Record<string, unknown>,
    sealed: seal(privateKey.export({ format: 'der', type: 'pkcs8' }), sealKey),
  }
}

import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { transaction } from '../../kernel/database.ts'
import { seal, unseal } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import { keysUnavailable, voMissing } from '../errors.ts'
import type { Algorithm } from './jws.ts'
import {
  insertKey,
  lockKeys,
  type SealedKey,
  selectAlgorithm,
  selectKeys,
  updateAlgorithm,
} from './keys.store.ts'
import { importKey, type PublicKey } from './token.ts'
import type { JwksDocument } from './token-verifier.ts'

/** A key that signs, signed or will sign. */
export interface SigningKeyView {
  readonly kid: string
  readonly alg: Algorithm
  readonly signsFrom: Date
  readonly signsNow: boolean
}

export interface Keys {
  /** The VO's public keys: all that are not retired. Throws vo_missing. */
  jwks(vo: string): Promise<JwksDocument>
  publicKey(vo: string, kid: string): Promise<PublicKey | undefined>
  /** Those that are published, oldest first, and the algorithm of the next one. */
  signingKeys(vo: string): Promise<{ keys: SigningKeyView[]; next: Algorithm }>
  signingKey(vo: string): Promise<{ kid: string; alg: Algorithm; key: KeyObject }>
  /** The VO signs with this algorithm from the day on which a key made for it now has been published long enough. */
  setAlgorithm(vo: string, alg: Algorithm, by: string): Promise<void>
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
  const opened = new Map<string, KeyObject>()
  const imported = new Map<string, PublicKey | undefined>()
  const keysOf = (vo: string) => memory.get(vo, () => selectKeys(db, vo, context.now()))
  const self: Keys = {
    async jwks(vo) {
      const known = await keysOf(vo)
      if (known.length === 0) throw voMissing(`There is no VO ${vo} here.`)
      return { keys: known.map(({ jwk, kid, alg }) => ({ ...jwk, kid, alg, use: 'sig' })) }
    },
    async publicKey(vo, kid) {
      const found = (await keysOf(vo)).find((key) => key.kid === kid)
      if (found && !imported.has(kid)) imported.set(kid, importKey({ ...found.jwk, kid }))
      return found && imported.get(kid)
    },
    async signingKeys(vo) {
      const signs = (await self.signingKey(vo)).kid
      const keys = (await keysOf(vo)).map(({ kid, alg, activeFrom }) => ({
        ...{ kid, alg, signsFrom: activeFrom, signsNow: kid === signs },
      }))
      return { keys, next: await selectAlgorithm(db, vo) }
    },
    async signingKey(vo) {
      const at = context.now()
      const newest = (await keysOf(vo)).filter((key) => key.activeFrom <= at).at(-1)
      if (!newest) throw keysUnavailable(`VO ${vo} has no signing key yet; try again.`)
      const { kid, alg } = newest
      const key = opened.get(kid) ?? openedKey(newest, sealKey)
      opened.set(kid, key)
      return { kid, alg, key }
    },
    async setAlgorithm(vo, alg, by) {
      await context.changing(vo, vo, async (tx) => {
        const found = await updateAlgorithm(tx, vo, alg)
        if (found === 0) throw voMissing(`There is no VO ${vo} here.`)
        await context.audit(tx, {
          vo,
          actor: by,
          action: 'signing.algorithm_set',
          target: vo,
          detail: { alg },
        })
      })
      await self.rotate([vo], context.now())
    },
    async rotate(vos, at) {
      let created = 0
      for (const vo of vos) {
        created += await transaction(db, async (tx) => {
          await lockKeys(tx, vo)
          const newest = (await selectKeys(tx, vo, at)).at(-1)
          const alg = await selectAlgorithm(tx, vo)
          const lasts = newest && newest.activeFrom.getTime() + SIGNS_MS - PUBLISHED_AHEAD_MS > at.getTime()
          if (lasts && newest.alg === alg) return 0
          // The first key signs at once: nobody has cached anything.
          const activeFrom = new Date(at.getTime() + (newest ? PUBLISHED_AHEAD_MS : 0))
          const retireAt = new Date(activeFrom.getTime() + SIGNS_MS + STAYS_MS)
          const pair = await freshPair(alg, sealKey)
          await insertKey(tx, vo, { kid: ids.uuid(), alg, activeFrom, ...pair }, retireAt, at)
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
  return self
}

const openedKey = ({ sealed }: SealedKey, sealKey: Uint8Array): KeyObject =>
  createPrivateKey({ key: unseal(sealed, sealKey), format: 'der', type: 'pkcs8' })

const generate = promisify(generateKeyPair)

async function freshPair(alg: Algorithm, sealKey: Uint8Array): Promise<Pick<SealedKey, 'jwk' | 'sealed'>> {
  const { publicKey, privateKey } =
    alg === 'ES256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: 2048 })
  return {
    jwk: publicKey.export({ format: 'jwk' }) as Record<string, unknown>,
    sealed: seal(privateKey.export({ format: 'der', type: 'pkcs8' }), sealKey),
  }
}

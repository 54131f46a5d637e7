import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { sealBroken } from '../errors.ts'

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number }, Buffer>(scrypt)
const COST = { N: 16384, r: 8, p: 5 }

/** `scrypt$N$r$p$salt$hash` */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, 32, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** Takes equally long whether or not there is such a password. */
export async function passwordMatches(password: string, stored: string | null | undefined): Promise<boolean> {
  const [, N, r, p, salt, hash] = (stored ?? '').split('$')
  const cost = stored ? { N: Number(N), r: Number(r), p: Number(p) } : COST
  const found = await derive(password, Buffer.from(salt ?? '', 'base64url'), 32, cost)
  const wanted = Buffer.from(hash ?? '', 'base64url')
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

/** For secrets that are random already: no slow hash needed. */
export function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

export function digestMatches(secret: string, stored: string | null): boolean {
  const wanted = Buffer.from(stored ?? '', 'base64url')
  const found = digestOf(secret)
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

/** AES-256-GCM: nonce, tag, text. */
export function seal(plain: Buffer, key: Uint8Array): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

export function unseal(sealed: Buffer, key: Uint8Array): Buffer {
  try {
    const opener = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
    opener.setAuthTag(sealed.subarray(12, 28))
    return Buffer.concat([opener.update(sealed.subarray(28)), opener.final()])
  } catch (cause) {
    throw sealBroken(
      'The signing key does not open: is this the seal.key the database was made with?',
      undefined,
      cause,
    )
  }
}

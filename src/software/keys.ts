import 'reflect-metadata'
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { seal, unseal } from '../identity/index.ts'
import type { Tx } from '../kernel/database.ts'
import { badWhitelist, noWhitelist } from './errors.ts'
import { fingerprintOf, publicKeysFrom } from './format/signed.ts'
import { readWhitelist, type Whitelist, whitelistBody, writeWhitelist } from './format/whitelist.ts'
import * as store from './repository.store.ts'

const DAY_MS = 86_400_000
/** As long as the tools of CVMFS make them; some sites warn of longer ones. */
export const WHITELIST_DAYS = 30
/** Renewed when half of the time is over: two weeks in which a server may be away. */
export const RENEW_DAYS = 15
/** An old certificate stays listed this long: clients ask for a manifest every few minutes, caches a little later. */
const OLD_KEY_DAYS = 7

const generate = promisify(generateKeyPair)

/** A new master key: it signs whitelists and nothing else. */
export async function newMasterKey(sealKey: Uint8Array): Promise<{ publicPem: string; sealed: Buffer }> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
  return {
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sealed: seal(privateKey.export({ type: 'pkcs8', format: 'der' }), sealKey),
  }
}

/** Makes the key by which manifests are signed from now on; the one before stays listed for a week. */
export async function addSigningKey(
  tx: Tx,
  now: Date,
  repository: Pick<store.RepositoryRow, 'id' | 'name'>,
  sealKey: Uint8Array,
): Promise<void> {
  const { pem, privateKey } = await selfSigned(repository.name, now)
  const sealed = seal(privateKey.export({ type: 'pkcs8', format: 'der' }), sealKey)
  await store.insertKey(tx, now, { repositoryId: repository.id, certificatePem: pem, privateKey: sealed })
  await store.endOlderKeys(tx, repository.id, new Date(now.getTime() + OLD_KEY_DAYS * DAY_MS))
}

/** Signs a whitelist of all listed certificates with the master key, which must be here. */
export async function renewWhitelist(
  tx: Tx,
  now: Date,
  repository: store.RepositoryRow,
  sealKey: Uint8Array,
): Promise<void> {
  if (!repository.masterKey)
    throw noWhitelist(`The master key of ${repository.name} is not here: bring a signed whitelist instead.`)
  const list = await whitelistNow(tx, now, repository)
  const key = createPrivateKey({ key: unseal(repository.masterKey, sealKey), format: 'der', type: 'pkcs8' })
  const whitelist = writeWhitelist(list, repository.algorithm, key)
  await store.setWhitelist(tx, repository.id, { whitelist, expiresAt: list.expiresAt })
}

/** What the master key is to sign, for whoever keeps it elsewhere. */
export async function whitelistToSign(tx: Tx, now: Date, repository: store.RepositoryRow): Promise<string> {
  return whitelistBody(await whitelistNow(tx, now, repository))
}

/** Takes a whitelist that was signed elsewhere, if it is one that clients will accept. */
export async function acceptWhitelist(
  tx: Tx,
  now: Date,
  repository: store.RepositoryRow,
  bytes: Buffer,
): Promise<Whitelist> {
  let list: Whitelist
  try {
    list = readWhitelist(bytes, publicKeysFrom(repository.masterPublicPem))
  } catch (error) {
    throw badWhitelist(`This whitelist cannot be taken: ${(error as Error).message}`, {}, error)
  }
  const [newest] = await store.keysOf(tx, repository.id, now)
  if (list.repository !== repository.name || list.expiresAt <= now)
    throw badWhitelist(`This whitelist is of ${list.repository} and ends at ${list.expiresAt.toISOString()}.`)
  if (
    newest &&
    !list.fingerprints.includes(
      fingerprintOf(new X509Certificate(newest.certificatePem), repository.algorithm),
    )
  )
    throw badWhitelist('This whitelist does not name the certificate that signs.')
  await store.setWhitelist(tx, repository.id, { whitelist: bytes, expiresAt: list.expiresAt })
  return list
}

async function whitelistNow(tx: Tx, now: Date, repository: store.RepositoryRow): Promise<Whitelist> {
  const keys = await store.keysOf(tx, repository.id, now)
  return {
    repository: repository.name,
    createdAt: now,
    expiresAt: new Date(now.getTime() + WHITELIST_DAYS * DAY_MS),
    fingerprints: keys.map((key) =>
      fingerprintOf(new X509Certificate(key.certificatePem), repository.algorithm),
    ),
  }
}

export function openSigningKey(key: store.KeyRow, sealKey: Uint8Array): KeyObject {
  return createPrivateKey({ key: unseal(key.privateKey, sealKey), format: 'der', type: 'pkcs8' })
}

/** Checks a public key that somebody brings for a repository whose master key he keeps. */
export function checkMasterPublic(pem: string): string {
  const [key, more] = publicKeysFrom(pem)
  if (
    !key ||
    more ||
    key.asymmetricKeyType !== 'rsa' ||
    (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048
  )
    throw badWhitelist('A master key is one RSA key of at least 2048 bits.')
  return createPublicKey(key.export({ type: 'spki', format: 'pem' }))
    .export({ type: 'spki', format: 'pem' })
    .toString()
}

async function selfSigned(name: string, now: Date): Promise<{ pem: string; privateKey: KeyObject }> {
  const algorithm = {
    ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
    publicExponent: new Uint8Array([1, 0, 1]),
  }
  x509.cryptoProvider.set(webcrypto)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ name: [{ O: ['Kumihimo'] }, { CN: [`${name} signs`] }], keys, signingAlgorithm: algorithm },
    serialNumber: `00${randomBytes(15).toString('hex')}`,
    notBefore: new Date(now.getTime() - 3_600_000),
    // Clients look at the whitelist only; this date is for people.
    notAfter: new Date(now.getTime() + 10 * 365 * DAY_MS),
  })
  return { pem: `${certificate.toString('pem')}\n`, privateKey: KeyObject.from(keys.privateKey) }
}

import { createHash, createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { isGridError } from '../../kernel/errors.ts'
import type { Worker } from '../../kernel/workers.ts'
import { seal, unseal } from '../accounts/secrets.ts'
import type { Certificates } from '../certificates/certificates.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { actorOf, type Principal } from '../principal.ts'
import type { Holders } from '../tokens/holders.ts'
import { writeCsr } from '../x509/csr.ts'
import {
  type Certificate,
  nameFromSlash,
  readCertificates,
  slashOf,
  type TrustDirectory,
  toPem,
  type VerifiedChain,
  verifyChain,
} from '../x509/index.ts'
import { spkiOf } from '../x509/signatures.ts'
import * as store from './delegation.store.ts'

export type { Delegation } from './delegation.store.ts'

export interface DelegatedCredential {
  /** The proxy first, then the certificates down to the person's; PEM. */
  readonly chainPem: string
  readonly key: KeyObject
  readonly notAfter: Date
}

export interface Delegations {
  /** How clients of the field call somebody's delegations. */
  delegationId(principal: Principal): string
  /** A request for a key that is made and kept here, for the owner to sign with a proxy; PEM. */
  requestDelegation(principal: Principal, purpose: string): Promise<{ id: string; csr: string }>
  /**
   * Takes the signed proxy with its issuers, PEM. Throws delegation_refused when it is for another key, for another
   * person, limited or no proxy, or when its chain is no good.
   */
  putDelegation(principal: Principal, purpose: string, pem: string): Promise<store.Delegation>
  delegationsOf(accountIds: readonly number[]): Promise<store.Delegation[]>
  withdrawDelegation(principal: Principal, purpose: string): Promise<void>
  /**
   * For the grid's own work on behalf of the owner, never for an answer to anybody. Throws delegation_missing, and what
   * the owner's standing says.
   */
  useDelegation(accountId: number, purpose: string, by: string): Promise<DelegatedCredential>
}

/** A credential is used at most so long, however long the proxy lasts. */
const LONGEST_MS = 24 * 3_600_000
const REQUEST_MS = 3_600_000
const SWEEP_MS = 60_000

interface Sealed {
  readonly accountId: number
  readonly purpose: string
  readonly chain: string
  readonly key: string
}

export function createDelegations(
  context: Context,
  rooms: { certificates: Certificates; holders: Holders; trust: TrustDirectory | undefined },
): { delegations: Delegations; workers: Worker[] } {
  const { db, now, changing, sealKey } = context
  const keyOf = (principal: Principal, purpose: string): store.DelegationKey => ({
    vo: principal.vo,
    id: delegations.delegationId(principal),
    purpose,
  })
  const delegations: Delegations = {
    delegationId: ({ method, issuer, subject }) =>
      createHash('sha1')
        .update(method === 'x509' ? subject : issuer + subject)
        .digest('hex')
        .slice(0, 16),
    async requestDelegation(principal, purpose) {
      const { accountId, subject, issuer } = owner(principal)
      const key = keyOf(principal, purpose)
      const csr = await changing(key.vo, key.id, async (tx) => {
        const known = await store.selectForChange(tx, key)
        // The same key until it is answered: two clients of one person must not spoil each other's request.
        const waiting = known?.requestedUntil && known.requestedUntil > now() ? known.requestedKey : null
        if (waiting) return csrFor(openKey(waiting, sealKey))
        const fresh = await newKey()
        const sealed = seal(fresh.export({ format: 'der', type: 'pkcs8' }), sealKey)
        const until = new Date(now().getTime() + REQUEST_MS)
        await store.putRequest(tx, { ...key, accountId, subject, issuer, key: sealed, until }, now())
        return csrFor(fresh)
      })
      return { id: key.id, csr }
    },
    async putDelegation(principal, purpose, pem) {
      const { accountId } = owner(principal)
      const key = keyOf(principal, purpose)
      const chain = await verified(pem)
      await refuseForeign(principal, chain)
      await changing(key.vo, key.id, async (tx) => {
        const known = await store.selectForChange(tx, key)
        if (!known?.requestedKey || !known.requestedUntil || known.requestedUntil <= now())
          throw e.delegationRefused('No key waits for this proxy; ask for a request first.')
        const own = openKey(known.requestedKey, sealKey)
        if (!spkiOf(own).equals(chain.proxies[0]!.certificate.spki))
          throw e.delegationRefused('The proxy is for another key than the one that was requested.')
        const { endEntity } = chain
        const [subject, issuer] = [slashOf(endEntity.subject), slashOf(endEntity.issuer)]
        const notAfter = new Date(Math.min(chain.expiresAt.getTime(), now().getTime() + LONGEST_MS))
        const credential = sealedCredential(
          { accountId, purpose, chain: pemOf(chain), key: pemOfKey(own) },
          sealKey,
        )
        await store.putCredential(tx, { ...key, subject, issuer, credential, notAfter }, now())
        const detail = { purpose, subject, issuer, notAfter: notAfter.toISOString() }
        const target = principal.account ?? subject
        await context.audit(tx, {
          vo: key.vo,
          actor: actorOf(principal),
          action: 'delegation.stored',
          target,
          detail,
        })
      })
      const stored = (await store.selectDelegations(db, [accountId], now())).find(
        (one) => one.id === key.id && one.purpose === purpose,
      )
      if (!stored) throw e.delegationRefused('The proxy has ended already.')
      return stored
    },
    delegationsOf: (accountIds) => store.selectDelegations(db, accountIds, now()),
    async withdrawDelegation(principal, purpose) {
      const { accountId } = owner(principal)
      const key = keyOf(principal, purpose)
      await changing(key.vo, key.id, async (tx) => {
        const gone = await store.deleteDelegation(tx, { ...key, accountId })
        if (gone === 0) throw e.delegationMissing('You left no credential for this purpose.')
        const target = principal.account ?? principal.subject
        await context.audit(tx, {
          ...{ vo: key.vo, actor: actorOf(principal), action: 'delegation.withdrawn', target },
          detail: { purpose },
        })
      })
    },
    async useDelegation(accountId, purpose, by) {
      const holder = await rooms.holders.of(accountId)
      const found = await store.selectUsable(db, accountId, purpose, now())
      if (!found?.credential || !found.notAfter)
        throw e.delegationMissing(`${holder.name} left no credential for this purpose, or it has ended.`)
      const opened = JSON.parse(unseal(found.credential, sealKey).toString('utf8')) as Sealed
      if (opened.accountId !== accountId || opened.purpose !== purpose)
        throw e.sealBroken('A stored credential is not the one its row says.')
      if (!(await isTheirs(readCertificates(opened.chain).at(-1)!, found.vo, accountId)))
        throw e.delegationMissing(
          `The certificate ${found.subject} counts no longer; ${holder.name} has to leave a new proxy.`,
        )
      await changing(found.vo, found.id, async (tx) => {
        await store.noteUse(tx, found, now())
        const detail = { purpose, subject: found.subject }
        await context.audit(tx, {
          vo: found.vo,
          actor: by,
          action: 'delegation.used',
          target: holder.name,
          detail,
        })
      })
      return { chainPem: opened.chain, key: createPrivateKey(opened.key), notAfter: found.notAfter }
    },
  }

  async function verified(pem: string): Promise<VerifiedChain> {
    if (!rooms.trust) throw e.delegationRefused('This grid trusts no authority of certificates.')
    const chain = await judged(pem, rooms.trust, now())
    if (chain.proxies.length === 0)
      throw e.delegationRefused('This is a certificate; sign a proxy for the requested key.')
    if (chain.limited) throw e.delegationRefused('A limited proxy cannot act for you; make a full one.')
    return chain
  }

  async function isTheirs(certificate: Certificate, vo: string, accountId: number | null): Promise<boolean> {
    const records = await rooms.certificates.accountsOfCertificate(certificate, vo)
    return records.some((record) => record.accountId === accountId && record.state === 'LINKED')
  }

  /** The proxy must be of whoever leaves it: the same person, or one of their certificates. */
  async function refuseForeign(principal: Principal, { endEntity }: VerifiedChain): Promise<void> {
    const same =
      principal.method === 'x509'
        ? principal.subject === slashOf(endEntity.subject) && principal.issuer === slashOf(endEntity.issuer)
        : await isTheirs(endEntity, principal.vo, principal.accountId)
    if (!same)
      throw e.delegationRefused(`The proxy is of ${slashOf(endEntity.subject)}, who is not known to be you.`)
  }

  return { delegations, workers: [sweeper(context)] }
}

/** The chain of a body is the sender's mistake to mend; it says nothing of who they are. */
async function judged(pem: string, trust: TrustDirectory, now: Date): Promise<VerifiedChain> {
  try {
    return verifyChain(readCertificates(pem), { trust: await trust.current(), now })
  } catch (error) {
    if (!isGridError(error)) throw error
    throw e.delegationRefused(error.message, error.details, error)
  }
}

function owner(principal: Principal): { accountId: number; subject: string; issuer: string } {
  const { accountId, subject, issuer } = principal
  if (accountId === null) throw e.denied('Only people and services with an account leave credentials here.')
  return { accountId, subject, issuer }
}

const newKey = async (): Promise<KeyObject> =>
  (await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })).privateKey
const openKey = (sealed: Buffer, sealKey: Uint8Array): KeyObject =>
  createPrivateKey({ key: unseal(sealed, sealKey), format: 'der', type: 'pkcs8' })
const csrFor = (key: KeyObject): string => writeCsr(key, nameFromSlash('/O=Kumihimo/CN=delegation'))
const pemOfKey = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }) as string
const pemOf = ({ proxies, endEntity }: VerifiedChain): string =>
  [...proxies.map(({ certificate }) => certificate), endEntity]
    .map(({ der }) => toPem('CERTIFICATE', der))
    .join('')

/** Owner and purpose are sealed in, so that a row that was changed opens nothing. */
const sealedCredential = (content: Sealed, sealKey: Uint8Array): Buffer =>
  seal(Buffer.from(JSON.stringify(content), 'utf8'), sealKey)

function sweeper({ db }: Context): Worker {
  let at = new Date(0)
  return {
    name: 'identity-delegations',
    wakeOn: [],
    async tick(now) {
      if (now >= at) {
        await store.dropEnded(db, now)
        at = new Date(now.getTime() + SWEEP_MS)
      }
      return { changed: 0, nextWake: at }
    },
  }
}

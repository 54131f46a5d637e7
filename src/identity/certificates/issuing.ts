import { createHash, type KeyObject } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '../../kernel/database.ts'
import type { Worker } from '../../kernel/workers.ts'
import type { Account } from '../accounts/account.ts'
import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Holders } from '../tokens/holders.ts'
import { type Certificate, readCertificate, readCertificates } from '../x509/certificate.ts'
import { writeCrl } from '../x509/crl.ts'
import { replaceList } from '../x509/crl-refresh.ts'
import { requestedKey } from '../x509/csr.ts'
import { issuePersonal, randomSerial } from '../x509/issue.ts'
import { type Name, nameFromSlash, oldSubjectHash, slashOf, subjectHash } from '../x509/names.ts'
import { privateKeyOf } from '../x509/signatures.ts'
import type { IssuingAuthority } from './certificate.ts'
import { linkIn, pemOf } from './certificates.ts'
import * as store from './issuing.store.ts'

export interface Issued {
  readonly pem: string
  readonly serial: string
  readonly subject: string
  readonly notAfter: Date
}

export interface Issuing {
  /**
   * A certificate for the key of a request (PKCS#10). Everything but the key comes from the account: the subject is
   * always the same and nobody else's. Throws weak_key, invalid_certificate_request, key_of_another_account,
   * certificate_rate_limited, certificate_suspended, and what the account's standing says.
   */
  issueCertificate(request: { accountId: number; csr: string; hours?: number }, by: string): Promise<Issued>
  issuedCertificates(accountIds: readonly number[]): Promise<store.IssuedCertificate[]>
  /** The account it was issued to; throws certificate_missing. */
  holderOfIssued(vo: string, serial: string): Promise<number>
  revokeIssuedCertificate(vo: string, serial: string, reason: string, by: string): Promise<void>
  /** Whether this grid issued the certificate and took it back. */
  isRevokedHere(certificate: Certificate): Promise<boolean>
  /** The present list of revoked certificates, DER; undefined where no authority is at hand. */
  revokedList(): Promise<Buffer | undefined>
}

const MOST_AN_HOUR = 30
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Clocks of storages are a few minutes late. */
const BACKDATED_MS = 300_000
const LIST_LASTS_MS = 7 * DAY_MS
const LIST_RENEWED_MS = 6 * HOUR_MS
const KEPT_MS = 90 * DAY_MS

export function createIssuing(
  context: Context,
  holders: Holders,
  options: IssuingAuthority | undefined,
): { issuing: Issuing; workers: Worker[] } {
  const { db, now, changing } = context
  const authority = options && {
    ...options,
    certificate: readCertificates(options.certificatePem)[0]!,
    key: privateKeyOf(options.privateKeyPem),
  }
  const lists = context.memory<Buffer>()
  const answers = context.memory<boolean>()
  const issuing: Issuing = {
    async issueCertificate({ accountId, csr, hours }, by) {
      if (!authority) throw e.noAuthority('This grid has no authority that issues certificates.')
      const account = await accountOf(context, accountId)
      await holders.of(accountId)
      const { spki } = requestedKey(csr)
      const signed = sign(authority, account, spki, hours ?? authority.longestHours, now())
      const { certificate, serial, subject, notBefore, notAfter } = signed
      const publicKey = createHash('sha256').update(spki).digest()
      await changing(account.vo, account.name, async (tx) => {
        await store.lockIssue(tx, accountId, publicKey)
        await refuseTooMuch(tx, accountId, publicKey, now())
        await linkIn(context, tx, account, { accountId, certificate, origin: 'issued' }, by)
        await store.insertIssued(tx, {
          ...{ vo: account.vo, accountId, publicKey, issuedAt: now(), issuedBy: by },
          ...{ serial, subject, notBefore, notAfter },
        })
        await context.audit(tx, {
          ...{ vo: account.vo, actor: by, action: 'certificate.issued', target: account.name },
          detail: { serial, subject, notAfter: notAfter.toISOString() },
        })
      })
      return { pem: pemOf(certificate), serial, subject, notAfter }
    },
    issuedCertificates: (accountIds) => store.selectIssued(db, accountIds),
    async holderOfIssued(vo, serial) {
      const holder = await store.holderOf(db, vo, serial.toLowerCase())
      if (!holder) throw e.certificateMissing(`No certificate ${serial} was issued here.`)
      return holder.accountId
    },
    async revokeIssuedCertificate(vo, serial, reason, by) {
      await changing(vo, serial, async (tx) => {
        const [revoked] = await store.revokeIssued(tx, vo, [serial.toLowerCase()], reason, now())
        if (!revoked)
          throw e.certificateMissing(`No certificate ${serial} was issued here that could be revoked.`)
        const { name } = await accountOf(context, revoked.accountId)
        const detail = { serial: revoked.serial, subject: revoked.subject, reason }
        await context.audit(tx, { vo, actor: by, action: 'certificate.revoked', target: name, detail })
      })
    },
    async isRevokedHere(certificate) {
      if (certificate.issuerKey !== authority?.certificate.subjectKey) return false
      const { serial } = certificate
      return answers.get(serial, async () => (await store.isRevoked(db, serial))?.revoked ?? false)
    },
    async revokedList() {
      if (!authority) return undefined
      return lists.get('', async () => listOf(authority, await store.selectRevoked(db, now()), now()))
    },
  }
  return { issuing, workers: authority ? [listWriter(context, authority)] : [] }
}

interface Signer extends IssuingAuthority {
  readonly certificate: Certificate
  readonly key: KeyObject
}

function sign(authority: Signer, account: Account, spki: Buffer, hours: number, now: Date) {
  const lasts = Math.min(hours, authority.longestHours) * HOUR_MS
  if (!(lasts > 0)) throw e.invalidRequest('A certificate lasts some time: say how many hours.')
  const serial = randomSerial()
  const subject = subjectOf(account)
  const notBefore = new Date(now.getTime() - BACKDATED_MS)
  const notAfter = new Date(Math.min(now.getTime() + lasts, authority.certificate.notAfter.getTime()))
  const { crlUrl } = authority
  const bytes = issuePersonal({ issuer: authority, subject, spki, serial, notBefore, notAfter, crlUrl })
  const certificate = readCertificate(bytes)
  return { certificate, serial: certificate.serial, subject: slashOf(subject), notBefore, notAfter }
}

async function refuseTooMuch(tx: Db, accountId: number, publicKey: Buffer, now: Date): Promise<void> {
  const facts = await store.issueFacts(tx, accountId, publicKey, new Date(now.getTime() - HOUR_MS))
  if (facts?.foreign) throw e.keyTaken('This key belongs to another account; make a new one.')
  if ((facts?.recent ?? 0) < MOST_AN_HOUR) return
  throw e.tooManyCertificates(`At most ${MOST_AN_HOUR} certificates are issued to one account in an hour.`, {
    retryAfterSeconds: 600,
  })
}

function listOf(issuer: Signer, revoked: readonly { serial: string; at: Date }[], now: Date): Buffer {
  const number = Math.floor(now.getTime() / 1000)
  const nextUpdate = new Date(now.getTime() + LIST_LASTS_MS)
  return writeCrl({
    issuer: issuer.certificate,
    key: issuer.key,
    number,
    thisUpdate: now,
    nextUpdate,
    revoked,
  })
}

/** Unique and for ever the account's: its name is never given again, and the number tells it from one of another grid. */
export function subjectOf(account: {
  readonly vo: string
  readonly name: string
  readonly uuid: string
}): Name {
  return nameFromSlash(
    `/O=Kumihimo/OU=People/OU=${account.vo}/CN=${account.name} ${account.uuid.slice(0, 8)}`,
  )
}

/** Keeps the list in the trust directory new: some hours old at most, and at once when something was revoked. */
function listWriter({ db }: Context, authority: Signer): Worker {
  const { subject, subjectDer } = authority.certificate
  const files = [subjectHash(subject), oldSubjectHash(subjectDer)].map((hash) =>
    join(authority.trustDirectory, `${hash}.r0`),
  )
  let named: string | undefined
  return {
    name: 'identity-revoked',
    wakeOn: ['identity'],
    async tick(now) {
      const revoked = await store.selectRevoked(db, now)
      const names = revoked.map(({ serial }) => serial).join(' ')
      const written = await stat(files[0]!).catch(() => undefined)
      const due = !written || now.getTime() - written.mtimeMs >= LIST_RENEWED_MS
      if (due || names !== named) {
        const list = listOf(authority, revoked, now)
        for (const file of files) await replaceList(file, list)
        await store.dropOldIssues(db, new Date(now.getTime() - KEPT_MS))
        named = names
      }
      return { changed: 0, nextWake: new Date(now.getTime() + HOUR_MS) }
    },
  }
}

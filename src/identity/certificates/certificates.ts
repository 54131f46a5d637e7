import type { Db } from '../../kernel/database.ts'
import type { Account } from '../accounts/account.ts'
import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import {
  type Certificate,
  hasPlainSlash,
  isProxy,
  keyOf,
  type Name,
  rfc4514Of,
  slashOf,
  toPem,
} from '../x509/index.ts'
import type { CertificateOrigin, CertificateRecord } from './certificate.ts'
import * as store from './certificates.store.ts'

/** A certificate, or the names that stand for one that was not seen yet. */
export type CertificateNames =
  | { readonly certificate: Certificate }
  | { readonly subject: Name; readonly issuer: Name | null }

export interface LinkRequest {
  readonly accountId: number
  readonly origin: CertificateOrigin
  readonly label?: string
}

export interface Certificates {
  /**
   * Links a certificate to an account; one that it has already is brought up to date. Throws certificate_taken for
   * that of another account, also of a removed one, and certificate_suspended.
   */
  linkCertificate(request: LinkRequest & CertificateNames, by: string): Promise<CertificateRecord>
  /** Links many names at once; those that are somebody's already are left alone and told. */
  linkNames(
    vo: string,
    names: readonly { accountId: number; subject: Name; issuer: Name | null }[],
    origin: CertificateOrigin,
    by: string,
  ): Promise<{ linked: number; taken: readonly string[] }>
  unlinkCertificate(vo: string, id: string, by: string): Promise<void>
  suspendCertificate(vo: string, id: string, reason: string, by: string): Promise<void>
  restoreCertificate(vo: string, id: string, by: string): Promise<void>
  /** Linked and suspended ones of each account. */
  certificatesOf(accountIds: readonly number[]): Promise<Map<number, CertificateRecord[]>>
  certificate(vo: string, id: string): Promise<CertificateRecord>
  /**
   * Whose certificate it is, by subject and issuer, in one VO or in all; suspended ones are told too. A name that was
   * known without its issuer is bound to the issuer of the first certificate that is seen with it.
   */
  accountsOfCertificate(certificate: Certificate, vo?: string): Promise<store.StoredCertificate[]>
  /** The same for names alone, binding nothing: what VOMS asks. */
  accountOfCertificate(pair: {
    vo: string
    subject: Name
    issuer: Name
  }): Promise<store.StoredCertificate | undefined>
  /** Names and their accounts, for grid-mapfiles. */
  gridmap(vo: string): Promise<{ subject: string; accounts: string[] }[]>
}

export function createCertificates(context: Context): Certificates {
  const { db, ids, now, changing } = context
  const found = context.memory<store.StoredCertificate[]>()
  const self: Certificates = {
    async linkCertificate(request, by) {
      const account = await accountOf(context, request.accountId)
      const id = await changing(account.vo, account.name, (tx) => linkIn(context, tx, account, request, by))
      return recordOf(db, account.vo, id)
    },
    async linkNames(vo, list, origin, by) {
      const rows = list.map((one) => ({ ...rowOf({ ...one, origin }), id: ids.uuid(), vo }))
      return changing(vo, origin, async (tx) => {
        const keys = rows.map(({ subjectKey }) => subjectKey)
        await store.lockSubjects(tx, vo, keys)
        const known = await store.certificatesOfSubjects(tx, vo, keys)
        const owners = new Map(known.map((record) => [record.subjectKey, record.accountId]))
        const fresh = rows.filter(({ subjectKey }) => !owners.has(subjectKey))
        await store.insertCertificates(tx, fresh, now())
        await store.putNames(tx, fresh, now())
        if (fresh.length > 0) {
          const detail = { names: fresh.length, origin }
          await context.audit(tx, { vo, actor: by, action: 'certificate.names_linked', target: vo, detail })
        }
        const taken = rows.filter((row) => (owners.get(row.subjectKey) ?? row.accountId) !== row.accountId)
        return { linked: fresh.length, taken: taken.map(({ subject }) => subject) }
      })
    },
    unlinkCertificate: (vo, id, by) => change(vo, id, 'UNLINKED', 'certificate.unlinked', '', by),
    suspendCertificate: (vo, id, reason, by) =>
      change(vo, id, 'SUSPENDED', 'certificate.suspended', reason, by),
    restoreCertificate: (vo, id, by) => change(vo, id, 'LINKED', 'certificate.restored', '', by),
    async certificatesOf(accountIds) {
      const of = new Map<number, CertificateRecord[]>()
      for (const record of await store.certificatesOfAccounts(db, accountIds)) {
        of.set(record.accountId, [...(of.get(record.accountId) ?? []), record])
      }
      return of
    },
    certificate: (vo, id) => recordOf(db, vo, id),
    async accountsOfCertificate(certificate, vo) {
      const known = await found.get(certificate.subjectKey, () =>
        store.certificatesOfSubjects(db, null, [certificate.subjectKey]),
      )
      const usable = known.filter(
        (record) =>
          record.state !== 'UNLINKED' &&
          record.accountStatus !== 'DELETED' &&
          (vo === undefined || record.vo === vo) &&
          fits(record, certificate.subject, certificate.issuerKey),
      )
      return Promise.all(usable.map((record) => seen(record, certificate)))
    },
    async accountOfCertificate({ vo, subject, issuer }) {
      const known = await store.certificatesOfSubjects(db, vo, [keyOf(subject)])
      return known.find(
        (record) =>
          record.state !== 'UNLINKED' &&
          record.accountStatus !== 'DELETED' &&
          fits(record, subject, keyOf(issuer)),
      )
    },
    gridmap: (vo) => store.selectGridmap(db, vo),
  }

  async function change(
    vo: string,
    id: string,
    state: CertificateRecord['state'],
    action: string,
    reason: string,
    by: string,
  ): Promise<void> {
    const record = await recordOf(db, vo, id)
    await changing(vo, record.account, (tx) => changeIn(context, tx, record, state, action, reason, by))
  }

  /** What is learnt from a certificate in use: the issuer of a bare name, the certificate behind names, the time. */
  async function seen(
    record: store.StoredCertificate,
    certificate: Certificate,
  ): Promise<store.StoredCertificate> {
    if (record.pem !== null && record.issuerKey !== null) {
      if (isDue(record.seenAt, now())) await store.noteSeen(db, record.id, now())
      return record
    }
    if (record.state !== 'LINKED') return record
    const { accountId, origin } = record
    await self.linkCertificate({ accountId, certificate, origin }, 'grid')
    return { ...record, ...keysOf(certificate), issuer: slashOf(certificate.issuer), weak: false }
  }
  return self
}

/** Unlinks within a transaction that does more. */
export const unlinkIn = (context: Context, tx: Db, record: store.StoredCertificate, by: string) =>
  changeIn(context, tx, record, 'UNLINKED', 'certificate.unlinked', '', by)

async function changeIn(
  context: Context,
  tx: Db,
  record: store.StoredCertificate,
  state: CertificateRecord['state'],
  action: string,
  reason: string,
  by: string,
): Promise<void> {
  const { id, vo, accountId, account, subject, issuer } = record
  await store.setCertificateState(tx, [id], state, reason, context.now())
  if (state === 'UNLINKED') await store.dropUnusedNames(tx, accountId, subject)
  const detail = { subject, issuer, ...(reason && { reason }) }
  await context.audit(tx, { vo, actor: by, action, target: account, detail })
}

/** Links within a transaction that does more; the id of the record. */
export async function linkIn(
  context: Context,
  tx: Db,
  account: Account,
  request: LinkRequest & CertificateNames,
  by: string,
): Promise<string> {
  const { vo, name } = account
  const row = { ...rowOf(request), id: context.ids.uuid(), vo }
  await store.lockSubjects(tx, vo, [row.subjectKey])
  const kept = recordFor(row, await store.certificatesOfSubjects(tx, vo, [row.subjectKey]))
  const at = context.now()
  if (kept) await store.rewriteCertificates(tx, [{ ...row, id: kept.id }], at)
  else await store.insertCertificates(tx, [row], at)
  await store.putNames(tx, [row], at)
  const renewed = kept?.state === 'LINKED' && !kept.weak && kept.accountId === account.id
  // What is issued here is noted as such, several times a day.
  if (!renewed || row.origin !== 'issued') {
    const action = renewed ? 'certificate.renewed' : 'certificate.linked'
    const detail = { subject: row.subject, issuer: row.issuer, origin: row.origin }
    await context.audit(tx, { vo, actor: by, action, target: name, detail })
  }
  return kept?.id ?? row.id
}

const HOUR_MS = 3_600_000
const isDue = (seenAt: Date | null, now: Date) => !seenAt || now.getTime() - seenAt.getTime() > HOUR_MS

const keysOf = ({ subjectKey, issuerKey }: Certificate) => ({ subjectKey, issuerKey })
export const pemOf = ({ der }: Certificate): string => toPem('CERTIFICATE', der)

async function recordOf(db: Db, vo: string, id: string): Promise<store.StoredCertificate> {
  const [record] = await store.certificatesById(db, vo, [id])
  if (!record || record.state === 'UNLINKED') throw e.certificateMissing('There is no such certificate.')
  return record
}

/** A bare name fits only if its slash form cannot mean another name as well. */
export function fits(record: store.StoredCertificate, subject: Name, issuerKey: string): boolean {
  return record.issuerKey === null ? hasPlainSlash(subject) : record.issuerKey === issuerKey
}

function rowOf(request: LinkRequest & CertificateNames): Omit<store.CertificateRow, 'id' | 'vo'> {
  const certificate = 'certificate' in request ? request.certificate : undefined
  const { subject, issuer } = 'certificate' in request ? request.certificate : request
  if (certificate?.ca)
    throw e.invalidRequest('This is the certificate of an authority, not of a person or service.')
  if (certificate && isProxy(certificate))
    throw e.invalidRequest('This is a proxy; link the certificate it was made from.')
  return {
    accountId: request.accountId,
    subjectKey: keyOf(subject),
    issuerKey: issuer && keyOf(issuer),
    subject: slashOf(subject),
    subjectRfc: rfc4514Of(subject),
    issuer: issuer && slashOf(issuer),
    issuerRfc: issuer && rfc4514Of(issuer),
    pem: certificate ? pemOf(certificate) : null,
    notAfter: certificate?.notAfter ?? null,
    label: request.label ?? '',
    origin: request.origin,
  }
}

/**
 * The record that a certificate belongs into, if there is one. A pair of names has one owner for good unless a living
 * one let go of it; a bare name stands for the pair until the pair is known.
 */
function recordFor(
  row: Pick<store.CertificateRow, 'accountId' | 'issuerKey' | 'subject'>,
  known: readonly store.StoredCertificate[],
): store.StoredCertificate | undefined {
  const exact = known.find((record) => record.issuerKey === row.issuerKey)
  const bare = known.find((record) => record.issuerKey === null)
  const own = known.find((record) => record.accountId === row.accountId)
  // A bare name adds nothing to what is known of the same account.
  const kept = exact ?? bare ?? (row.issuerKey === null ? (own ?? known[0]) : undefined)
  if (!kept) return undefined
  const free = kept.state === 'UNLINKED' && kept.accountStatus !== 'DELETED'
  if (kept.accountId !== row.accountId && !free)
    throw e.certificateTaken(`The certificate ${row.subject} belongs to another account.`)
  if (kept.state === 'SUSPENDED')
    throw e.certificateSuspended(
      `The certificate ${row.subject} is suspended${kept.reason && ` (${kept.reason})`}.`,
    )
  return kept
}

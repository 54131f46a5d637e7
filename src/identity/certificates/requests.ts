import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { type Certificate, readCertificates, slashOf } from '../x509/index.ts'
import type { CertificateRequest } from './certificate.ts'
import * as store from './certificates.store.ts'
import { fits, linkIn, pemOf } from './certificates.ts'

export interface CertificateRequests {
  /** The holder of a known name by another authority asks to be recognised; throws certificate_unknown. */
  requestCertificate(vo: string, certificate: Certificate): Promise<void>
  /** Newest first, at most 1000. */
  certificateRequests(vo: string, state?: CertificateRequest['state']): Promise<CertificateRequest[]>
  decideCertificateRequest(
    vo: string,
    id: string,
    decision: { readonly approve: boolean; readonly motivation?: string },
    by: string,
  ): Promise<CertificateRequest>
}

export function createCertificateRequests(context: Context): CertificateRequests {
  const { db, ids, now, changing } = context
  return {
    async requestCertificate(vo, certificate) {
      const { subject, subjectKey, issuer, issuerKey } = certificate
      const known = await store.certificatesOfSubjects(db, vo, [subjectKey])
      if (known.some((record) => record.state !== 'UNLINKED' && fits(record, subject, issuerKey)))
        throw e.certificateTaken('This certificate is known already; there is nothing to ask for.')
      const living = known.filter(
        ({ state, accountStatus }) => state === 'LINKED' && accountStatus === 'ACTIVE',
      )
      const owners = new Set(living.map(({ accountId }) => accountId))
      const [accountId] = owners
      if (accountId === undefined || owners.size > 1)
        throw e.certificateUnknown(`No account of ${vo} has the name ${slashOf(subject)}.`)
      const account = await accountOf(context, accountId)
      await changing(vo, account.name, async (tx) => {
        const request = { id: ids.uuid(), vo, accountId, subjectKey, issuerKey, pem: pemOf(certificate) }
        if ((await store.insertRequest(tx, request, now())) === 0) return
        const detail = { subject: slashOf(subject), issuer: slashOf(issuer) }
        const { name } = account
        await context.audit(tx, { vo, actor: name, action: 'certificate.requested', target: name, detail })
      })
    },
    async certificateRequests(vo, state) {
      return (await store.selectRequests(db, vo, state ?? null)).map((request) => shown(request).request)
    },
    async decideCertificateRequest(vo, id, { approve, motivation = '' }, by) {
      const decision = { state: approve ? 'APPROVED' : 'REJECTED', by, motivation } as const
      return changing(vo, id, async (tx) => {
        const decided = await store.decideRequest(tx, vo, id, decision, now())
        if (!decided) throw e.certificateMissing('There is no such request that waits for a decision.')
        const { request, certificate } = shown(decided)
        const action = `certificate.request_${approve ? 'approved' : 'rejected'}`
        const detail = { motivation, subject: request.subject, issuer: request.issuer }
        await context.audit(tx, { vo, actor: by, action, target: request.account, detail })
        if (approve) {
          const account = await accountOf(context, request.accountId)
          await linkIn(context, tx, account, { accountId: account.id, certificate, origin: 'presented' }, by)
        }
        return request
      })
    },
  }
}

function shown({ pem, ...rest }: store.StoredRequest): {
  request: CertificateRequest
  certificate: Certificate
} {
  const certificate = readCertificates(pem)[0]!
  const { subject, issuer } = certificate
  return { certificate, request: { ...rest, subject: slashOf(subject), issuer: slashOf(issuer) } }
}

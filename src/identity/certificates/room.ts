import type { Worker } from '../../kernel/workers.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Groups } from '../accounts/groups.ts'
import type { Context, IdentityOptions } from '../context.ts'
import type { Standings } from '../people/standing.ts'
import type { Policies } from '../policy/policies.ts'
import { type CertificateBearers, createCertificateBearers } from './bearer.ts'
import { type Certificates, createCertificates } from './certificates.ts'
import { withCertificateNames } from './identities.ts'
import { createIssuing, type Issuing } from './issuing.ts'
import { type CertificateRequests, createCertificateRequests } from './requests.ts'

/** What others see of certificates. */
export interface CertificateFace extends Certificates, CertificateRequests, CertificateBearers, Issuing {}

/** The parts of certificates, put together. */
export function createCertificateRoom(
  context: Context,
  rooms: { accounts: Accounts; groups: Groups; standings: Standings; policies: Policies },
  options: Pick<IdentityOptions, 'issuingAuthority' | 'proxyAttributes'>,
): {
  face: CertificateFace & Pick<Accounts, 'addIdentities' | 'removeIdentity'>
  workers: readonly Worker[]
} {
  const certificates = createCertificates(context)
  const { issuing, workers } = createIssuing(context, rooms.standings, options.issuingAuthority)
  return {
    face: {
      ...certificates,
      ...createCertificateRequests(context),
      ...createCertificateBearers(context, {
        ...{ ...rooms, certificates, issuing, proxyAttributes: options.proxyAttributes },
      }),
      ...issuing,
      ...withCertificateNames(context, rooms.accounts, certificates),
    },
    workers,
  }
}

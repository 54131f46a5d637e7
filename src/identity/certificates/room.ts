import type { Worker } from '../../kernel/workers.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Logins } from '../accounts/login.ts'
import type { Context, IdentityOptions } from '../context.ts'
import { createDelegations, type Delegations } from '../delegation/delegation.ts'
import type { Policies } from '../policy/policies.ts'
import type { Holders } from '../tokens/holders.ts'
import type { ScopePolicyBook } from '../tokens/scope-policies.ts'
import { type CertificateBearers, createCertificateBearers } from './bearer.ts'
import { type Certificates, createCertificates } from './certificates.ts'
import { withCertificateNames } from './identities.ts'
import { createIssuing, type Issuing } from './issuing.ts'
import { type CertificateLogins, createCertificateLogins } from './login.ts'
import { type CertificateRequests, createCertificateRequests } from './requests.ts'

/** What others see of certificates. */
export interface CertificateFace
  extends Certificates,
    CertificateRequests,
    CertificateBearers,
    CertificateLogins,
    Issuing,
    Delegations {}

/** The parts of certificates, put together. */
export function createCertificateRoom(
  context: Context,
  rooms: {
    accounts: Accounts
    logins: Logins
    holders: Holders
    policies: Policies
    scopePolicies: ScopePolicyBook
  },
  options: Pick<IdentityOptions, 'issuingAuthority' | 'proxyAttributes' | 'trust'>,
): {
  face: CertificateFace & Pick<Accounts, 'addIdentities' | 'removeIdentity'>
  workers: readonly Worker[]
} {
  const certificates = createCertificates(context)
  const { issuing, workers } = createIssuing(context, rooms.holders, options.issuingAuthority)
  const delegation = createDelegations(context, { ...rooms, trust: options.trust, certificates })
  const { proxyAttributes } = options
  const bearers = createCertificateBearers(context, { ...rooms, certificates, issuing, proxyAttributes })
  return {
    face: {
      ...certificates,
      ...createCertificateRequests(context),
      ...bearers,
      ...createCertificateLogins(context, { ...rooms, bearers }),
      ...issuing,
      ...delegation.delegations,
      ...withCertificateNames(context, rooms.accounts, certificates),
    },
    workers: [...workers, ...delegation.workers],
  }
}

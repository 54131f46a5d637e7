import type { Worker } from '../kernel/workers.ts'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { createGroups, type Groups } from './accounts/groups.ts'
import { dropOldLogins } from './accounts/login.store.ts'
import { createLogins, LOGIN_WINDOW_MS, type Logins } from './accounts/login.ts'
import { createVos, type Vos } from './accounts/vos.ts'
import { type CertificateFace, createCertificateRoom } from './certificates/room.ts'
import { createContext, type IdentityOptions } from './context.ts'
import type { Audit } from './people/audit.ts'
import { createLabels, type Labels } from './people/labels.ts'
import { createLifecycle, type Lifecycle, lifecycleWorker } from './people/lifecycle.ts'
import { createMails, type Mails } from './people/mails.ts'
import { createPeople, type People } from './people/people.ts'
import { createRegistrations, type Registrations } from './people/registrations.ts'
import { createRequests, type Requests } from './people/requests.ts'
import { createSettings, type Settings } from './people/settings.ts'
import { createStandings, type Standings } from './people/standing.ts'
import { createUpdates, type Updates } from './people/update.ts'
import { createUsagePolicies, type UsagePolicies } from './people/usage-policy.ts'
import { createExplain, type Explain } from './policy/explain.ts'
import { createPolicies, type Policies } from './policy/policies.ts'
import { type Clients, createClients } from './tokens/clients.ts'
import { createKeys, type Keys } from './tokens/keys.ts'
import { dropExpiredRevocations } from './tokens/tokens.store.ts'
import { createTokens, type Tokens } from './tokens/tokens.ts'

/** Everything the rest of the grid asks of identity. */
export interface Identity
  extends Vos,
    Accounts,
    Groups,
    Clients,
    Tokens,
    Logins,
    Audit,
    Standings,
    CertificateFace,
    People,
    Updates,
    Labels,
    UsagePolicies,
    Omit<Registrations, 'dropStaleRegistrations'>,
    Requests,
    Settings,
    Lifecycle,
    Mails,
    Pick<Keys, 'jwks'>,
    Omit<Policies, 'refresh'>,
    Explain {
  issuer(vo: string): string
  rotateSigningKeys(now: Date): Promise<{ created: number }>
  readonly workers: readonly Worker[]
  /** Forgets cached policies, accounts and keys; call when topic `identity` wakes. */
  reload(): Promise<void>
}

const HOUR_MS = 3600_000

export function createIdentity(options: IdentityOptions): Identity {
  const context = createContext(options)
  const keys = createKeys(context)
  const policies = createPolicies(context)
  const tokens = createTokens(context, keys, policies)
  const groups = createGroups(context)
  const vos = createVos(context, keys, policies)
  const accounts = createAccounts(context)
  const standings = createStandings(context)
  const certificates = createCertificateRoom(context, { accounts, groups, standings, policies }, options)
  const { dropStaleRegistrations, ...registrations } = createRegistrations(context)
  const lifecycle = createLifecycle(context)
  const rotateSigningKeys = async (now: Date) =>
    keys.rotate(
      (await vos.listVos()).map(({ id }) => id),
      now,
    )
  let rotateAt = new Date(0)
  return {
    ...vos,
    ...accounts,
    ...groups,
    ...createClients(context),
    ...tokens,
    ...createLogins(context, tokens, groups),
    ...standings,
    ...certificates.face,
    ...createPeople(context, accounts),
    ...createUpdates(context),
    ...createLabels(context),
    ...createUsagePolicies(context),
    ...registrations,
    ...createRequests(context, groups),
    ...createSettings(context),
    ...lifecycle,
    ...createMails(context),
    audit: context.audit,
    auditLog: context.auditLog,
    verifyAuditChain: context.verifyAuditChain,
    jwks: keys.jwks,
    authorize: policies.authorize,
    explain: policies.explain,
    ...createExplain(context, policies, groups),
    rulesOf: policies.rulesOf,
    addRule: policies.addRule,
    removeRule: policies.removeRule,
    issuer: context.issuer,
    rotateSigningKeys,
    workers: [
      {
        name: 'identity-keys',
        wakeOn: [],
        async tick(now) {
          if (now >= rotateAt) {
            await rotateSigningKeys(now)
            await dropExpiredRevocations(context.db, now)
            await dropOldLogins(context.db, new Date(now.getTime() - LOGIN_WINDOW_MS), now)
            rotateAt = new Date(now.getTime() + HOUR_MS)
          }
          return { changed: 0, nextWake: rotateAt }
        },
      },
      ...certificates.workers,
      lifecycleWorker(context, lifecycle, {
        vos: async () => (await vos.listVos()).map(({ id }) => id),
        dropStaleRegistrations,
      }),
    ],
    reload: async () => context.forget(),
  }
}

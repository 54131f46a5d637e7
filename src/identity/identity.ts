import type { Worker } from '../kernel/workers.ts'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { createGroups, type Groups } from './accounts/groups.ts'
import { dropOldLogins } from './accounts/login.store.ts'
import { createLogins, type Logins } from './accounts/login.ts'
import { createVos, type Vos } from './accounts/vos.ts'
import { type CertificateFace, createCertificateRoom } from './certificates/room.ts'
import { createContext, type IdentityOptions } from './context.ts'
import type { Audit } from './people/audit.ts'
import { createLabels, type Labels } from './people/labels.ts'
import { createLifecycle, type Lifecycle, lifecycleWorker } from './people/lifecycle.ts'
import { mailWorker } from './people/mail-sender.ts'
import { createMails, type Mails } from './people/mails.ts'
import { dropOldLinks } from './people/passwords.store.ts'
import { createPasswords, type Passwords } from './people/passwords.ts'
import { createPeople, type People } from './people/people.ts'
import { createRegistrations, type Registrations } from './people/registrations.ts'
import { createRequests, type Requests } from './people/requests.ts'
import { createSettings, type Settings } from './people/settings.ts'
import { createStandings, type Standings } from './people/standing.ts'
import { createUpdates, type Updates } from './people/update.ts'
import { createUsagePolicies, type UsagePolicies } from './people/usage-policy.ts'
import { createAfterLogin } from './policy/after-login.ts'
import { createExplain, type Explain } from './policy/explain.ts'
import { createPolicies, type Policies } from './policy/policies.ts'
import { createTokenRoom, type TokenFace } from './tokens/room.ts'

/** Everything the rest of the grid asks of identity. */
export interface Identity
  extends Vos,
    Accounts,
    Groups,
    TokenFace,
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
    Passwords,
    Omit<Policies, 'refresh'>,
    Explain {
  issuer(vo: string): string
  rotateSigningKeys(now: Date): Promise<{ created: number }>
  readonly workers: readonly Worker[]
  /** Forgets cached policies, accounts and keys; call when topic `identity` wakes. */
  reload(): Promise<void>
  /** Writes what is noted in batches; call before the database closes. */
  close(): Promise<void>
}

const HOUR_MS = 3600_000

export function createIdentity(options: IdentityOptions): Identity {
  const context = createContext(options)
  const policies = createPolicies(context)
  const groups = createGroups(context)
  const accounts = createAccounts(context)
  const standings = createStandings(context)
  const afterLogin = createAfterLogin(context, policies, groups)
  const room = createTokenRoom(context, policies, afterLogin)
  const { keys, clients, holders, minter, grants, scopePolicies } = room
  const vos = createVos(context, { keys, policies, clients })
  const logins = createLogins(context, { holders, minter, grants, policies: scopePolicies })
  const certificates = createCertificateRoom(
    context,
    { accounts, logins, holders, policies, scopePolicies },
    options,
  )
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
    ...room.face,
    ...logins,
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
    ...createPasswords(context, {
      logins,
      grants,
      sendsMail: options.sendMail !== undefined,
      fromHome: options.passwordsFromHome ?? (() => false),
    }),
    audit: context.audit,
    auditLog: context.auditLog,
    verifyAuditChain: context.verifyAuditChain,
    authorize: policies.authorize,
    explain: policies.explain,
    ...createExplain(context, policies, afterLogin),
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
            await room.sweep(now)
            await dropOldLogins(context.db, new Date(now.getTime() - HOUR_MS), now)
            await dropOldLinks(context.db, now)
            rotateAt = new Date(now.getTime() + HOUR_MS)
          }
          return { changed: 0, nextWake: rotateAt }
        },
      },
      ...room.workers,
      ...(options.sendMail ? [mailWorker(context, options.sendMail)] : []),
      ...certificates.workers,
      lifecycleWorker(context, lifecycle, {
        vos: async () => (await vos.listVos()).map(({ id }) => id),
        dropStaleRegistrations,
      }),
    ],
    reload: async () => context.forget(),
    close: room.flush,
  }
}

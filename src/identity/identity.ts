import type { Worker } from '../kernel/workers.ts'
import { type Accounts, createAccounts } from './accounts.ts'
import { type Clients, createClients } from './clients.ts'
import { createContext, type IdentityOptions } from './context.ts'
import { createGroups, type Groups } from './groups.ts'
import { createKeys, type Keys } from './keys.ts'
import { dropOldLogins } from './login.store.ts'
import { createLogins, LOGIN_WINDOW_MS, type Logins } from './login.ts'
import { createPolicies, type Policies } from './policies.ts'
import { dropExpiredRevocations } from './tokens.store.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { createVos, type Vos } from './vos.ts'

/** Everything the rest of the grid asks of identity. */
export interface Identity
  extends Vos,
    Accounts,
    Groups,
    Clients,
    Tokens,
    Logins,
    Pick<Keys, 'jwks'>,
    Pick<Policies, 'authorize' | 'explain'> {
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
  const rotateSigningKeys = async (now: Date) =>
    keys.rotate(
      (await vos.listVos()).map(({ id }) => id),
      now,
    )
  let rotateAt = new Date(0)
  return {
    ...vos,
    ...createAccounts(context),
    ...groups,
    ...createClients(context),
    ...tokens,
    ...createLogins(context, tokens, groups),
    jwks: keys.jwks,
    authorize: policies.authorize,
    explain: policies.explain,
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
    ],
    reload: async () => context.forget(),
  }
}

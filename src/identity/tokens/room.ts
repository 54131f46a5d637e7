import type { Worker } from '../../kernel/workers.ts'
import type { Context } from '../context.ts'
import type { AfterLogin } from '../policy/after-login.ts'
import type { Policies } from '../policy/policies.ts'
import { dropOldInteractions } from './authorization.store.ts'
import { type Authorization, createAuthorization } from './authorization.ts'
import { type ClientAuthentication, createClientAuthentication } from './client-authentication.ts'
import { dropOldAssertions } from './clients.store.ts'
import { type ClientBook, type Clients, createClients } from './clients.ts'
import { dropOldDevices } from './device.store.ts'
import { createDevices, type Devices } from './device.ts'
import { createExchange, type Exchange } from './exchange.ts'
import { createFederation, type Federation } from './federation.ts'
import { dropOldGrants } from './grants.store.ts'
import { createGrants, type GrantBook, type Grants } from './grants.ts'
import { createHolders, type Holders } from './holders.ts'
import { createKeys, type Keys } from './keys.ts'
import { createMinter, type Minter } from './mint.ts'
import { createRegistration, type Registration } from './registration.ts'
import { createScopePolicies, type ScopePolicies, type ScopePolicyBook } from './scope-policies.ts'
import { dropOldSessions } from './sessions.store.ts'
import { createSessions, IDLE_MS, type Sessions } from './sessions.ts'
import { dropExpiredRevocations } from './tokens.store.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { createUsage } from './usage.ts'

/** What others see of tokens. */
export interface TokenFace
  extends Pick<Keys, 'jwks' | 'signingKeys' | 'setAlgorithm'>,
    Clients,
    ClientAuthentication,
    ScopePolicies,
    Pick<Minter, 'mint'>,
    Omit<Tokens, 'verify'>,
    Federation,
    Grants,
    Authorization,
    Devices,
    Registration,
    Exchange,
    Sessions {}

export interface TokenRoom {
  readonly face: TokenFace
  readonly keys: Keys
  readonly clients: ClientBook
  readonly holders: Holders
  readonly minter: Minter
  readonly grants: GrantBook
  readonly scopePolicies: ScopePolicyBook
  /** Removes what is over. */
  sweep(now: Date): Promise<void>
  readonly workers: readonly Worker[]
  flush(): Promise<void>
}

const DAY_MS = 86_400_000

/** The parts of issuing and checking, put together. */
export function createTokenRoom(context: Context, policies: Policies, afterLogin: AfterLogin): TokenRoom {
  const keys = createKeys(context)
  const clients = createClients(context)
  const holders = createHolders(context)
  const scopePolicies = createScopePolicies(context, afterLogin)
  const usage = createUsage(context)
  const minter = createMinter(context, { keys, holders, usage })
  const tokens = createTokens(context, { keys, policies, holders, minter, scopePolicies })
  const { federation, worker } = createFederation(context, { tokens, holders, policies })
  const grants = createGrants(context, { holders, minter, policies: scopePolicies, usage })
  const shared = { clients, holders, policies: scopePolicies, grants }
  return {
    face: {
      ...{ jwks: keys.jwks, signingKeys: keys.signingKeys, setAlgorithm: keys.setAlgorithm },
      ...clients,
      ...createClientAuthentication(context, clients),
      ...scopePolicies,
      ...minter,
      ...tokens,
      ...federation,
      ...grants,
      ...createAuthorization(context, shared),
      ...createDevices(context, shared),
      ...createRegistration(context, clients),
      ...createExchange(context, { ...shared, minter, inspect: tokens.inspect }),
      ...createSessions(context, { holders, policies, usage }),
    },
    ...{ keys, clients, holders, minter, grants, scopePolicies },
    async sweep(now) {
      const { db } = context
      const dayAgo = new Date(now.getTime() - DAY_MS)
      await dropExpiredRevocations(db, now)
      await dropOldAssertions(db, now)
      await dropOldSessions(db, now, new Date(now.getTime() - IDLE_MS))
      // A day longer than they serve, so that a second use is recognised.
      await dropOldInteractions(db, dayAgo)
      await dropOldDevices(db, dayAgo)
      await dropOldGrants(db, now)
    },
    workers: [worker],
    flush: usage.flush,
  }
}

import { SCOPES_OFFERED } from './vocabulary.ts'

/** A program that asks for tokens: for itself, or for the people who use it. */
export interface Client {
  /** Unique within its issuer. */
  readonly id: string
  readonly vo: string
  /** The account it acts as in its own name; null when it only acts for people. */
  readonly accountId: number | null
  /** What people are shown. */
  readonly name: string
  readonly description: string
  /** `grid`: a program of the grid itself; `registered`: by its owner, without an administrator. */
  readonly origin: 'grid' | 'admin' | 'registered'
  readonly grants: readonly Grant[]
  /** The most it may ask for. */
  readonly scopes: readonly string[]
  /** The only audiences it may ask for; none: any. */
  readonly audiences: readonly string[]
  readonly redirectUris: readonly string[]
  /** How it proves itself: a secret, a signature by its key, or (a program on people's machines) not at all. */
  readonly auth: 'secret' | 'key' | 'none'
  /** Public keys of `auth: 'key'`. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] } | null
  readonly accessSeconds: number
  readonly refreshSeconds: number
  /** Whether each refresh gives a new refresh token or the same one again. */
  readonly refreshUse: 'rotate' | 'reuse'
  /** How long a replaced refresh token still serves, should the answer with the new one have been lost. */
  readonly graceSeconds: number
  readonly enabled: boolean
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

/** What is decided about a client, as against what happens to it. */
export type ClientFacts = Omit<Client, 'enabled' | 'createdAt' | 'lastUsedAt'>

export const GRANTS = [
  'authorization_code',
  'urn:ietf:params:oauth:grant-type:device_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'password',
  'urn:kumihimo:grant:one-time-code',
] as const
export type Grant = (typeof GRANTS)[number]

/** What may be left out takes the value of `DEFAULTS`. */
export interface NewClient extends Partial<Omit<ClientFacts, 'id' | 'vo' | 'scopes'>> {
  readonly id: string
  readonly vo: string
  readonly scopes: readonly string[]
  /** Kept if given (at least 24 characters), made otherwise. */
  readonly secret?: string
}

export const DEFAULTS = {
  accountId: null,
  name: '',
  description: '',
  origin: 'admin',
  grants: ['client_credentials'],
  audiences: [],
  redirectUris: [],
  auth: 'secret',
  jwks: null,
  accessSeconds: 3600,
  refreshSeconds: 30 * 86_400,
  refreshUse: 'rotate',
  graceSeconds: 300,
} as const satisfies Partial<Client>

/** The programs of the grid itself; they run on people's machines, so their name is all they show. */
export function ownPrograms(vo: string): NewClient[] {
  const common = { vo, scopes: SCOPES_OFFERED, origin: 'grid', auth: 'none' } as const
  return [
    {
      ...common,
      id: 'kumi-cli',
      name: 'kumi (command line)',
      grants: [
        'authorization_code',
        'urn:ietf:params:oauth:grant-type:device_code',
        'refresh_token',
        'password',
        'urn:kumihimo:grant:one-time-code',
      ],
      redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    },
    { ...common, id: 'kumi-console', name: 'Kumihimo console', grants: ['urn:kumihimo:grant:one-time-code'] },
  ]
}

import { queryOptions } from '@tanstack/react-query'
import { call, getJson } from './http.ts'

export type SiteState = 'ok' | 'degraded' | 'down' | 'unknown'
export interface Site {
  name: string
  title: string
  country: string
  latitude: number
  longitude: number
  state: SiteState
  reason: string | null
  lastSeen: string | null
  storages: string[]
  files: number
  usedBytes: number
  totalBytes: number
}
export interface Link {
  source: string
  destination: string
  sourceSite: string | null
  destinationSite: string | null
  active: number
  done: number
  failed: number
  bytes: number
  rateBytesPerSecond: number
  maxActive: number | null
  rationale: string
  blockedUntil: string | null
  blockedReason: string | null
  lastError: string | null
}
export interface Concern {
  repository: string
  problem: 'no_whitelist' | 'whitelist_ended' | 'whitelist_ends' | 'key_ends' | 'not_verified' | 'behind'
  gateway: string | null
  at: string | null
  reason: string | null
}
export type Attention =
  | { kind: 'site'; site: string; state: SiteState; reason: string | null; since: string | null }
  | { kind: 'rule'; rule: string; scope: string; name: string; reason: string | null; since: string | null }
  | { kind: 'link'; source: string; destination: string; failed: number; reason: string | null }
  | { kind: 'bad_copies'; count: number }
  | ({ kind: 'software' } & Concern)
export interface Now {
  at: string
  attention: Attention[]
  totals: Record<
    | 'datasets'
    | 'files'
    | 'bytes'
    | 'safeDatasets'
    | 'safeFiles'
    | 'copies'
    | 'copyBytes'
    | 'rulesOk'
    | 'rulesWorking'
    | 'rulesStuck'
    | 'transfersActive'
    | 'transfersQueued'
    | 'transfersRetrying',
    number
  >
  sites: Site[]
  flows: Link[]
}
export type RuleState = 'OK' | 'REPLICATING' | 'STUCK' | 'SUSPENDED' | 'INJECT'
export interface Rule {
  id: string
  scope: string
  name: string
  type: string
  account: string
  expression: string
  copies: number
  grouping: string
  state: RuleState
  reason: string | null
  activity: string
  comments: string | null
  createdAt: string
  expiresAt: string | null
  stuckAt: string | null
  files: number
  bytes: number
  missing: number
  moving: number
  failed: number
  missingBytes: number
}
export interface RuleExplanation {
  rule: Rule
  placements: { scope: string; name: string; storage: string; files: number; missing: number }[]
  gaps: {
    scope: string
    name: string
    bytes: number
    storage: string
    state: 'missing' | 'moving' | 'failed'
    attempts: number
    error: string | null
    nextTry: string
    transfer: string | null
  }[]
  reasons: { message: string; count: number; storages: string[] }[]
}
export type TransferState =
  | 'queued'
  | 'active'
  | 'verifying'
  | 'retrying'
  | 'done'
  | 'adopted'
  | 'failed'
  | 'canceled'
export interface Transfer {
  id: string
  scope: string
  name: string
  source: string | null
  destination: string
  bytes: number
  bytesDone: number
  state: TransferState
  attempts: number
  error: string | null
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
  notBefore: string | null
}
export type TransferList = 'active' | 'queued' | 'failed' | 'done'

export interface Me {
  account: string | null
  vo: string
  admin: boolean
  /** Actions that are allowed with anything in the VO. */
  may: string[]
  /** Paths of the groups one manages. */
  manages: string[]
}

export const gridQuery = queryOptions({
  queryKey: ['grid'],
  queryFn: () => getJson<{ vo: string; version: string; issuer: string }>('/kumi/v1/grid'),
  staleTime: Number.POSITIVE_INFINITY,
})
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: () => getJson<Me>('/kumi/v1/me'),
  staleTime: 60_000,
  retry: false,
})
export const nowQuery = queryOptions({
  queryKey: ['now'],
  queryFn: ({ signal }) => getJson<Now>('/kumi/v1/now', signal),
  // Rates and progress change without an event; a picture costs the server little.
  refetchInterval: (query) => (query.state.data?.totals.transfersActive ? 2000 : 10_000),
})
export const rulesQuery = (state: string | undefined) =>
  queryOptions({
    queryKey: ['rules', state ?? 'all'],
    queryFn: async ({ signal }) =>
      (await getJson<{ rules: Rule[] }>(`/kumi/v1/rules?limit=200${state ? `&state=${state}` : ''}`, signal))
        .rules,
  })
export const ruleQuery = (id: string) =>
  queryOptions({
    queryKey: ['rules', 'one', id],
    queryFn: ({ signal }) => getJson<RuleExplanation>(`/kumi/v1/rules/${id}/explain`, signal),
  })
export const matrixQuery = queryOptions({
  queryKey: ['transfers', 'matrix'],
  queryFn: async ({ signal }) =>
    (await getJson<{ links: Link[] }>('/kumi/v1/transfers/matrix?hours=24', signal)).links,
  refetchInterval: 5000,
})
export const transfersQuery = (state: TransferList, source?: string, destination?: string) =>
  queryOptions({
    queryKey: ['transfers', state, source ?? '', destination ?? ''],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ state, limit: '100' })
      if (source) query.set('source', source)
      if (destination) query.set('destination', destination)
      return (await getJson<{ transfers: Transfer[] }>(`/kumi/v1/transfers?${query}`, signal)).transfers
    },
    refetchInterval: state === 'active' ? 2000 : false,
  })

/** `standing` is there when the session is good for signing the usage policy only. */
export const login = async (
  vo: string,
  credentials: { code: string } | { username: string; password: string },
) =>
  (await (await call('POST', `/iam/${vo}/session`, credentials)).json()) as {
    standing?: { code: string; message: string }
  }
export const logout = (vo: string) => call('DELETE', `/iam/${vo}/session`)

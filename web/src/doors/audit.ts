import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { getJson } from './http.ts'

export interface AuditEntry {
  seq: number
  at: string
  actor: string
  action: string
  target: string
  detail: Record<string, unknown>
  hash: string
}
export interface AuditQuestion {
  actor?: string | undefined
  target?: string | undefined
  action?: string | undefined
  since?: string | undefined
  until?: string | undefined
}

export const AUDIT_PAGE = 50

export const auditQuery = (question: AuditQuestion, limit = AUDIT_PAGE) =>
  infiniteQueryOptions({
    queryKey: ['audit', 'log', question, limit],
    initialPageParam: null as number | null,
    queryFn: async ({ signal, pageParam }) => {
      const query = new URLSearchParams({ limit: String(limit) })
      for (const [name, value] of Object.entries(question)) if (value) query.set(name, value)
      if (pageParam !== null) query.set('before', String(pageParam))
      return (await getJson<{ entries: AuditEntry[] }>(`/kumi/v1/audit?${query}`, signal)).entries
    },
    getNextPageParam: (last) => (last.length < limit ? undefined : last.at(-1)?.seq),
  })
export const auditChainQuery = queryOptions({
  queryKey: ['audit', 'chain'],
  queryFn: ({ signal }) =>
    getJson<{ entries: number; head: string; brokenAt: number | null }>('/kumi/v1/audit/verify', signal),
  // Every hash is computed again: not more often than somebody asks.
  staleTime: Number.POSITIVE_INFINITY,
})

import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'
import type { Concern } from './kumi.ts'

export interface RepositoryLine {
  name: string
  title: string
  algorithm: string
  revision: number
  rootHash: string | null
  publishedAt: string | null
  whitelistExpiresAt: string | null
  /** Addresses of the original, if it is a mirror. */
  mirrorOf: string[] | null
}
export interface Mirror {
  urls: string[]
  account: string
  checkedAt: string
  failedAt: string | null
  failure: string | null
  copyWanted: boolean
  copyComplete: boolean
  copiedRevision: number | null
  copiedAt: string | null
  copyObjects: number
  copyBytes: number
  copyFailure: string | null
}
export interface Tag {
  name: string
  revision: number
  rootHash: string
  description: string
  account: string
  at: string
}
/** What waits for somebody who approves it. */
export interface Proposal {
  id: string
  repository: string
  kind: 'publish' | 'rollback' | 'tag' | 'untag'
  path: string
  account: string
  source: string
  proposedAt: string
  expiresAt: string
  tag: string | null
  ofRevision: number | null
  put: number
  removed: number
  files: number | null
  bytes: number | null
  overtakenBy: number | null
  mine: boolean
  mayDecide: boolean
}
export interface Repository extends RepositoryLine {
  approvals: { path: string; account: string; at: string }[]
  renewsItself: boolean
  masterPublicPem: string
  certificates: { createdAt: string; listedUntil: string | null }[]
  tags: Tag[]
  objects: number
  usedBytes: number
  storedBytes: number
  mirror: Mirror | null
}
export interface Revision {
  revision: number
  rootHash: string
  kind: 'publish' | 'rollback' | 'mirror'
  path: string
  account: string
  source: string
  at: string
  put: number
  removed: number
  /** Of its tree; null: not counted. */
  files: number | null
  bytes: number | null
  approvedBy: string | null
  droppedAt: string | null
}
export type EntryKind = 'directory' | 'file' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block'
export interface TreeEntry {
  name: string
  path: string
  kind: EntryKind
  mode: string
  modifiedAt: string
  size: number
  target: string | null
}
export interface Seen {
  revision: number
  entry: TreeEntry
  content: TreeEntry[]
  count: number
  files: number
  bytes: number
  text: string | null
  cut: boolean
}
export interface Compared {
  added: number
  changed: number
  removed: number
  paths: {
    path: string
    what: 'added' | 'changed' | 'removed'
    kind: EntryKind
    before: number | null
    after: number | null
  }[]
  whole: boolean
}
export interface Plan {
  revisions: number[]
  kept: number[]
  objects: number
  bytes: number
}

export interface GatewaySoftware {
  site: string
  gateway: string
  alive: boolean
  hits: number
  misses: number
  evictions: number
  bytes: number
  mostBytes: number
  repositories: { name: string; revision: number; behind: number }[]
}
export interface ReleaseUse {
  release: string
  revision: number
  root: string
  jobType: string
  owner: string
  open: number
  over: number
  newestJob: number
  lastAt: string
}

const base = '/kumi/v1/software/repositories'
const of = (name: string) => `${base}/${segment(name)}`

export const repositoriesQuery = queryOptions({
  queryKey: ['software'],
  queryFn: async ({ signal }) =>
    (await getJson<{ repositories: RepositoryLine[] }>(base, signal)).repositories,
})
/** Gateways report every few seconds. */
const REPORTS_MS = 10_000
export const softwareStateQuery = queryOptions({
  queryKey: ['software', 'state'],
  queryFn: ({ signal }) =>
    getJson<{ gateways: GatewaySoftware[]; concerns: Concern[] }>('/kumi/v1/software/state', signal),
  refetchInterval: REPORTS_MS,
})
export const usesQuery = (name: string) =>
  queryOptions({
    queryKey: ['software', 'uses', name],
    queryFn: async ({ signal }) => (await getJson<{ uses: ReleaseUse[] }>(`${of(name)}/uses`, signal)).uses,
    refetchInterval: REPORTS_MS,
  })
export const repositoryQuery = (name: string) =>
  queryOptions({
    queryKey: ['software', 'one', name],
    queryFn: ({ signal }) => getJson<Repository>(of(name), signal),
  })
export const revisionsQuery = (name: string, limit: number) =>
  queryOptions({
    queryKey: ['software', 'revisions', name, limit],
    queryFn: async ({ signal }) =>
      (await getJson<{ revisions: Revision[] }>(`${of(name)}/revisions?limit=${limit}`, signal)).revisions,
    placeholderData: keepPreviousData,
  })
/** What a revision holds never changes. */
const FOREVER = { staleTime: Number.POSITIVE_INFINITY }
export const treeQuery = (name: string, revision: number, path: string) =>
  queryOptions({
    queryKey: ['software-tree', name, revision, path],
    queryFn: ({ signal }) =>
      getJson<Seen>(`${of(name)}/tree?${new URLSearchParams({ revision: String(revision), path })}`, signal),
    ...FOREVER,
  })
export const compareQuery = (name: string, from: number, to: number) =>
  queryOptions({
    queryKey: ['software-tree', name, 'compare', from, to],
    queryFn: ({ signal }) => getJson<Compared>(`${of(name)}/compare?from=${from}&to=${to}`, signal),
    ...FOREVER,
  })
const proposals = '/kumi/v1/software/proposals'
/** Those that wait, of all repositories. */
export const proposalsQuery = queryOptions({
  queryKey: ['software', 'proposals'],
  queryFn: async ({ signal }) => (await getJson<{ proposals: Proposal[] }>(proposals, signal)).proposals,
})
export const proposalChangesQuery = (id: string) =>
  queryOptions({
    queryKey: ['software-tree', 'proposal', id],
    queryFn: ({ signal }) => getJson<Compared>(`${proposals}/${segment(id)}/changes`, signal),
    ...FOREVER,
  })
export const approveProposal = (id: string) => call('POST', `${proposals}/${segment(id)}/approve`)
export const rejectProposal = (id: string, reason: string) =>
  call('POST', `${proposals}/${segment(id)}/reject`, { reason })
export const withdrawProposal = (id: string) => call('POST', `${proposals}/${segment(id)}/withdraw`)
export const planQuery = (name: string, keep: number) =>
  queryOptions({
    queryKey: ['software', 'plan', name, keep],
    queryFn: async ({ signal }) => {
      const answer = await call('POST', `${of(name)}/gc`, { keep, dryRun: true }, signal)
      return (await answer.json()) as Plan
    },
    placeholderData: keepPreviousData,
  })
export const rollback = (name: string, revision: number) => call('POST', `${of(name)}/rollback`, { revision })
export const tagRevision = (name: string, revision: number, tag: string, description: string) =>
  call('POST', `${of(name)}/tags`, { name: tag, revision, description })

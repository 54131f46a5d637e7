import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

export interface RepositoryLine {
  name: string
  title: string
  algorithm: string
  revision: number
  rootHash: string | null
  publishedAt: string | null
  whitelistExpiresAt: string | null
}
export interface Tag {
  name: string
  revision: number
  rootHash: string
  description: string
  account: string
  at: string
}
export interface Repository extends RepositoryLine {
  renewsItself: boolean
  masterPublicPem: string
  certificates: { createdAt: string; listedUntil: string | null }[]
  tags: Tag[]
  objects: number
  usedBytes: number
  storedBytes: number
}
export interface Revision {
  revision: number
  rootHash: string
  kind: 'publish' | 'rollback'
  path: string
  account: string
  source: string
  at: string
  put: number
  removed: number
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

const base = '/kumi/v1/software/repositories'
const of = (name: string) => `${base}/${segment(name)}`

export const repositoriesQuery = queryOptions({
  queryKey: ['software'],
  queryFn: async ({ signal }) =>
    (await getJson<{ repositories: RepositoryLine[] }>(base, signal)).repositories,
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

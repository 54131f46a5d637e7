/** Software: releases published as repositories of CVMFS. */
export type { SeenEntry } from './browse.ts'
export type { CollectionPlan } from './collect.ts'
export type { SoftwareOptions } from './context.ts'
export { damaged, notTrusted } from './format/errors.ts'
export { type ContentHash, hashFromPath, letterOf, textOf } from './format/hash.ts'
export { bytesOf } from './format/incoming.ts'
export { MAX_PACK_BYTES, writePack } from './format/pack.ts'
export type { CacheCounts } from './local/object-cache.ts'
export type { MirrorRow } from './mirror.store.ts'
export type { NewMirror } from './mirrors.ts'
export type { PinnedRelease } from './pin.ts'
export type { ApprovalRow, ProposalRow } from './proposal.store.ts'
export { checkPath, type OpenedPublication } from './publications.ts'
export type { NewRepository, RepositoryState } from './repositories.ts'
export type { RepositoryRow, RevisionRow, TagRow } from './repository.store.ts'
export type { MadeRevision } from './revisions.ts'
export {
  createSoftware,
  type DocumentName,
  type ServedDocument,
  type ServedObject,
  type Software,
} from './software.ts'

import type { Context } from './context.ts'
import { noSuchRevision } from './errors.ts'
import { textOf } from './format/hash.ts'
import { openMirror } from './mirrors.ts'
import * as store from './repository.store.ts'

/** One tree of a repository for ever: what a job runs with, whatever is published later. */
export interface PinnedRelease {
  readonly repository: string
  /** As it was asked for: `koto.example.org@release-08`. */
  readonly release: string
  readonly revision: number
  /** Hash of its root catalogue. */
  readonly root: string
  /** By which a reader knows that it is that. */
  readonly masterPublicPem: string
}

/**
 * Which tree `name`, `name@tag`, `name@#revision` or `name@<root hash>` is at this moment. Throws
 * software_no_such_repository, software_no_such_revision.
 */
export async function pinRelease(context: Context, vo: string, release: string): Promise<PinnedRelease> {
  const { db } = context
  const at = release.indexOf('@')
  const [name, of] = at < 0 ? [release, undefined] : [release.slice(0, at), release.slice(at + 1)]
  const repository = await context.repository(name, vo)
  if (repository.mirrorOf) return pinMirrored(context, repository, release, of)
  const tagged = (await store.tagsOf(db, repository.id)).find((tag) => tag.name === of)
  const wanted = of === undefined ? repository.revision : tagged?.revision
  // A tree may have been published several times; the newest revision of it stays longest.
  const found = (await store.keptRevisions(db, repository.id)).findLast(
    ({ revision, rootHash }) =>
      revision === wanted || (wanted === undefined && (`#${revision}` === of || rootHash === of)),
  )
  if (!found)
    throw noSuchRevision(
      `${name} has no ${of}, or its tree is gone. kumi software show ${name} lists what there is.`,
    )
  const { masterPublicPem } = repository
  return {
    repository: name,
    release,
    revision: Number(found.revision),
    root: found.rootHash,
    masterPublicPem,
  }
}

/** What is mirrored says by itself, signed, which trees it has. */
async function pinMirrored(
  context: Context,
  repository: store.RepositoryRow,
  release: string,
  of: string | undefined,
): Promise<PinnedRelease> {
  const { name, masterPublicPem } = repository
  const { root, revision } = await (await openMirror(context, repository)).snapshot(of)
  return { repository: name, release, revision, root: textOf(root), masterPublicPem }
}

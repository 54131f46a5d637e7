import { type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Worker } from '../kernel/workers.ts'
import type { Context } from './context.ts'
import { badMirror, noMirror, originalsAway, repositoryExists } from './errors.ts'
import { hashFromPath, textOf } from './format/hash.ts'
import { readManifest, type SignedManifest } from './format/manifest.ts'
import { publicKeysFrom } from './format/signed.ts'
import type { Whitelist } from './format/whitelist.ts'
import * as mirrors from './mirror.store.ts'
import { packPath, readStored } from './objects.ts'
import type { Mirrored } from './originals.ts'
import { openRepository, type Repository } from './reader/repository.ts'
import { checkName, describeRepository, type RepositoryState } from './repositories.ts'
import * as store from './repository.store.ts'

export interface NewMirror {
  readonly vo: string
  readonly name: string
  readonly title: string
  /** The original and its copies, the preferred first; `@fqrn@` stands for the name. */
  readonly urls: readonly string[]
  /** PEM of the public keys by which it is trusted. */
  readonly publicPem: string
  readonly account: string
}

const MOST_URLS = 8
/** Nobody is asked for a manifest more often, or less. */
const [LEAST_CHECK_MS, MOST_CHECK_MS] = [60_000, 3_600_000]
/** A server that ends in the middle of a look: another looks after so long. */
const CHECK_LEASE_MS = 10 * 60_000
const CHECKS_AT_ONCE = 4

/** A manifest and a whitelist that belong together and are signed as they should, with their bytes. */
interface Seen {
  readonly manifest: SignedManifest
  readonly whitelist: Whitelist
  readonly manifestBytes: Buffer
  readonly whitelistBytes: Buffer
}

/** Asks the originals until one gives what its keys have signed and what is not older than what was there before. */
async function lookUp(
  { clock, originals }: Context,
  of: Mirrored & {
    readonly publicPem: string
    readonly atLeast?: number | undefined
    readonly whitelist: Buffer | null
  },
): Promise<Seen> {
  const seen = await originals.first(of.urls, async (url): Promise<Seen> => {
    const documents = new Map<string, Buffer>()
    const fetch = async (path: string) => {
      const hash = hashFromPath(path)
      if (hash) return originals.bytes(of, path, hash)
      const given = await originals.document(url, path)
      // A copy may have an older whitelist than another had; it is verified all the same.
      const stamp = (list: Buffer) => list.toString('latin1', 0, 14)
      const bytes =
        given && path === '.cvmfswhitelist' && of.whitelist && stamp(of.whitelist) > stamp(given)
          ? of.whitelist
          : given
      if (bytes) documents.set(path, bytes)
      return bytes
    }
    const { manifest, whitelist } = await openRepository({
      ...{ name: of.name, fetch, masterKeys: publicKeysFrom(of.publicPem), now: clock.now() },
      atLeast: of.atLeast,
    })
    // It goes with its manifest: when the next comes, this one is gone there.
    if (manifest.reflog) await originals.bytes(of, '.cvmfsreflog', manifest.reflog).catch(() => undefined)
    const [manifestBytes, whitelistBytes] = ['.cvmfspublished', '.cvmfswhitelist'].map(
      (path) => documents.get(path)!,
    ) as [Buffer, Buffer]
    return { manifest, whitelist, manifestBytes, whitelistBytes }
  })
  return seen!
}

const nextCheck = (now: Date, { ttl }: SignedManifest): Date =>
  new Date(now.getTime() + Math.min(MOST_CHECK_MS, Math.max(LEAST_CHECK_MS, ttl * 1000)))

/** Serves what was seen from now on, unless another process saw something newer meanwhile. */
async function accept(tx: Tx, now: Date, id: number, seen: Seen): Promise<void> {
  const { manifest, whitelist, manifestBytes, whitelistBytes } = seen
  const locked = await store.lockRepository(tx, id)
  const revision = BigInt(manifest.revision)
  if (!locked?.mirrorOf || locked.revision > revision) return
  const rootHash = textOf(manifest.root)
  const at = manifest.publishedAt ?? now
  await store.setManifest(tx, at, id, {
    ...{ revision, rootHash, rootSize: manifest.rootSize, manifest: manifestBytes },
  })
  await store.setWhitelist(tx, id, { whitelist: whitelistBytes, expiresAt: whitelist.expiresAt })
  await mirrors.noteChecked(tx, now, id, nextCheck(now, manifest))
  if (locked.rootHash !== null && revision === locked.revision) return
  await store.insertRevision(tx, id, {
    ...{
      revision,
      rootHash,
      rootSize: manifest.rootSize,
      kind: 'mirror',
      path: '',
      at,
      put: 0n,
      removed: 0n,
    },
    ...{ files: null, bytes: null, account: '', source: new URL(locked.mirrorOf[0]!).host, approvedBy: null },
  })
  const { vo, name } = locked
  const payload = { revision: manifest.revision }
  await publish(tx, now, [{ vo, kind: 'software.mirrored', subject: name, payload }])
}

function checkedAddresses(name: string, urls: readonly string[]): string[] {
  const found = urls.map((text) => {
    const url = URL.parse(text.replaceAll('@fqrn@', name))
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
      throw badMirror(`"${text}" is no address of a repository, such as http://host/cvmfs/${name}.`)
    return url.href.replace(/\/+$/, '')
  })
  if (found.length === 0 || found.length > MOST_URLS || new Set(found).size < found.length)
    throw badMirror(`A mirror has one to ${MOST_URLS} addresses, each once.`)
  return found
}

/** Adds a repository of others, after verifying it. Throws software_originals_away when none of its addresses gives it right. */
export async function addMirror(context: Context, input: NewMirror): Promise<RepositoryState> {
  const { db, clock, audit } = context
  const { vo, name, title, account } = input
  checkName(name)
  const urls = checkedAddresses(name, input.urls)
  const keys = publicKeysFrom(input.publicPem)
  const publicPem = keys.map((key) => key.export({ type: 'spki', format: 'pem' }).toString()).join('')
  if (await store.repositoryNamed(db, name)) throw repositoryExists(`There is a repository ${name} already.`)
  const seen = await lookUp(context, { name, urls, publicPem, whitelist: null })
  await transaction(db, async (tx) => {
    const now = clock.now()
    const { algorithm } = seen.manifest.root
    const made = await store.insertRepository(tx, now, {
      ...{ vo, name, title, algorithm, masterPublicPem: publicPem, masterKey: null },
    })
    if (!made) throw repositoryExists(`There is a repository ${name} already.`)
    const nextCheckAt = nextCheck(now, seen.manifest)
    await mirrors.insertMirror(tx, now, { repositoryId: made.id, urls, account, nextCheckAt })
    await accept(tx, now, made.id, seen)
    await audit(tx, { vo, actor: account, action: 'software.mirror_added', target: name, detail: { urls } })
  })
  return describeRepository(context, name, vo)
}

/** The mirror of a name. Throws software_no_such_repository, software_no_mirror. */
async function mirrorNamed(context: Context, name: string, vo: string): Promise<store.RepositoryRow> {
  const found = await context.repository(name, vo)
  if (!found.mirrorOf) throw noMirror(`${name} is not a mirror: it is published here.`)
  return found
}

/** All of it is to be here from now on, not only what somebody asked for. */
export async function completeMirror(
  context: Context,
  { name, vo, account }: { name: string; vo: string; account: string },
): Promise<RepositoryState> {
  const { id } = await mirrorNamed(context, name, vo)
  await transaction(context.db, async (tx) => {
    const now = context.clock.now()
    await mirrors.wantCopy(tx, now, id)
    await publish(tx, now, [{ vo, kind: 'software.copy_wanted', subject: name }])
    await context.audit(tx, { vo, actor: account, action: 'software.copy_wanted', target: name })
  })
  return describeRepository(context, name, vo)
}

/** It is served no more, and what is here of it goes. */
export async function removeMirror(
  context: Context,
  { name, vo, account }: { name: string; vo: string; account: string },
): Promise<void> {
  const { id } = await mirrorNamed(context, name, vo)
  const packs = await transaction(context.db, async (tx) => {
    await store.lockRepository(tx, id)
    await publish(tx, context.clock.now(), [{ vo, kind: 'software.mirror_removed', subject: name }])
    await context.audit(tx, { vo, actor: account, action: 'software.mirror_removed', target: name })
    return mirrors.deleteMirror(tx, id)
  })
  // What a crash leaves of them, the sweep of packs removes.
  for (const pack of packs) await context.storage.remove(packPath(name, pack))
}

/** Looks for new revisions, as often as the manifests say. */
export function mirrorWorker(context: Context): Worker {
  const { db, clock, log } = context
  async function check({ repositoryId, name }: { repositoryId: number; name: string }): Promise<void> {
    const row = await context.repository(name)
    const { masterPublicPem: publicPem, revision, whitelist, mirrorOf } = row
    if (!mirrorOf) return
    try {
      const of = { name, urls: mirrorOf, publicPem, whitelist, atLeast: Number(revision) }
      const seen = await lookUp(context, of)
      await transaction(db, (tx) => accept(tx, clock.now(), repositoryId, seen))
    } catch (error) {
      const now = clock.now()
      const nextCheckAt = new Date(now.getTime() + LEAST_CHECK_MS)
      const failure = (error as Error).message.slice(0, 1000)
      await mirrors.noteNotChecked(db, now, repositoryId, { failure, nextCheckAt })
      log.warn({ err: error, repository: name }, 'a mirrored repository was not verified')
    }
  }
  return {
    name: 'software-mirrors',
    wakeOn: [],
    async tick(now) {
      const until = new Date(now.getTime() + CHECK_LEASE_MS)
      const due = await mirrors.claimChecks(db, now, until, CHECKS_AT_ONCE)
      await Promise.all(due.map(check))
      return { changed: due.length, nextWake: await mirrors.firstCheck(db) }
    },
  }
}

/** The mirror as its clients see it, read with the same care as theirs. */
export async function openMirror(context: Context, row: store.RepositoryRow): Promise<Repository> {
  return openRepository({
    ...{ name: row.name, masterKeys: publicKeysFrom(row.masterPublicPem), now: context.clock.now() },
    fetch: async (path) => {
      if (path === '.cvmfspublished') return row.manifest ?? undefined
      if (path === '.cvmfswhitelist') return row.whitelist ?? undefined
      const hash = hashFromPath(path)
      return hash && objectOf(context, row, path, hash)
    },
  })
}

/** An object of a mirror, from what is here or from the original; undefined when it has none. */
export async function objectOf(
  context: Context,
  row: Pick<store.RepositoryRow, 'id' | 'name' | 'mirrorOf'>,
  path: string,
  hash: NonNullable<ReturnType<typeof hashFromPath>>,
): Promise<Buffer | undefined> {
  const here = await readStored(context, row, hash)
  return here ?? context.originals.bytes({ name: row.name, urls: row.mirrorOf ?? [] }, path, hash)
}

/**
 * Manifest and whitelist while both count: a client that has them from here must find that they do. Throws
 * software_originals_away when the whitelist has ended and nobody gave a newer one.
 */
export function stillTrusted(now: Date, { name, whitelistExpiresAt }: store.RepositoryRow): void {
  if (whitelistExpiresAt && whitelistExpiresAt > now) return
  throw originalsAway(
    `The whitelist of ${name} ended at ${whitelistExpiresAt?.toISOString()}, and none of its addresses gives a newer one.`,
  )
}

/** The list of roots that the manifest names; other copies have others, which are not it. */
export async function reflogOf(context: Context, row: store.RepositoryRow): Promise<Buffer | undefined> {
  const hash = row.manifest && readManifest(row.manifest).reflog
  return hash ? objectOf(context, row, '.cvmfsreflog', hash).catch(() => undefined) : undefined
}

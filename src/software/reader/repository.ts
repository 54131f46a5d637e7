import type { KeyObject } from 'node:crypto'
import { type Catalog, type NestedCatalog, openCatalog } from '../format/catalog.ts'
import { type Entry, isWithin } from '../format/entry.ts'
import { damaged, notTrusted } from '../format/errors.ts'
import { type ContentHash, hashFromText, type ObjectKind, objectPath, textOf } from '../format/hash.ts'
import { readHistory, type Tag, TRUNK } from '../format/history.ts'
import { type Incoming, verified } from '../format/incoming.ts'
import { readManifest, type SignedManifest } from '../format/manifest.ts'
import { plainForm, plainPieces } from '../format/objects.ts'
import { certificateFrom, manifestSignedBy } from '../format/signed.ts'
import { checkCertificate, readWhitelist, type Whitelist } from '../format/whitelist.ts'
import { noSuchPath, noSuchTag } from './errors.ts'

/**
 * Bytes at a path below the repository's address; undefined when there is nothing. Throws when it cannot know. `size` is
 * what they are unpacked, where that is known.
 */
export type Fetch = (
  path: string,
  options?: { signal?: AbortSignal | undefined; size?: number | undefined },
) => Promise<Buffer | undefined>

/**
 * The same as it comes, for objects that are not to be held in memory: `take` verifies it, and is given it anew when one
 * server breaks off or gives it wrong and there is another.
 */
export type FetchStream = <T>(
  path: string,
  take: (incoming: Incoming) => Promise<T>,
  options?: { signal?: AbortSignal | undefined },
) => Promise<T | undefined>

export interface OpenOptions {
  readonly name: string
  readonly fetch: Fetch
  /** How great objects are fetched; by `fetch` when absent, which holds them in memory. */
  readonly stream?: FetchStream | undefined
  /** Public master keys by which the repository is trusted. */
  readonly masterKeys: readonly KeyObject[]
  readonly now: Date
  /** The newest revision seen before: an older one is an attack, or a backup that was put back. */
  readonly atLeast?: number | undefined
  /** Where listings are kept for the next time; nowhere when absent. */
  readonly listings?: KeepListing | undefined
}

/** All that a catalogue has, parents first; what is nested is its mount point only. */
export interface Listing {
  readonly entries: readonly Entry[]
  readonly nested: readonly Pick<NestedCatalog, 'path' | 'hash'>[]
}
/** Gives the listing of a catalogue that was kept, or what `read` finds. */
export type KeepListing = (hash: ContentHash, read: () => Promise<Listing>) => Promise<Listing>

/** A repository whose manifest is verified; what is read from it is verified as it comes. */
export interface Repository {
  readonly name: string
  readonly manifest: SignedManifest
  readonly whitelist: Whitelist
  tags(): Promise<Tag[]>
  /** The tree of a tag, of `trunk` (the newest), of `#12` (a tagged revision) or of the hash of a root catalogue. */
  snapshot(of?: string): Promise<Snapshot>
  /** A stored object, compared with its name and unpacked. Throws `software_damaged`. */
  object(hash: ContentHash, kind: ObjectKind, entry?: Pick<Entry, 'compression' | 'size'>): Promise<Buffer>
  /**
   * Gives `take` the content of an object piece by piece, perhaps more than once from the beginning; it is right when they
   * end without an error, and not before. Throws as `object`.
   */
  content(
    of: { readonly hash: ContentHash; readonly kind: ObjectKind },
    entry: Pick<Entry, 'compression' | 'size'>,
    take: (pieces: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void>
}

/** One tree of a repository. */
export interface Snapshot {
  readonly root: ContentHash
  readonly revision: number
  /** The entry at a path; throws `software_no_such_path`. */
  entry(path: string): Promise<Entry>
  /** What is in a directory, by name. */
  list(path: string): Promise<Entry[]>
  /** A path and all below it, parents first. `enter` decides whether to look into a directory. */
  walk(path?: string, enter?: (path: string) => boolean): AsyncGenerator<Entry>
  /** The catalogues, the root's first, each open until the next is asked for. */
  catalogs(): AsyncGenerator<{ catalog: Catalog; hash: ContentHash; size: number; path: string }>
}

/** Fetches and verifies the chain: whitelist by master key, certificate by whitelist, manifest by certificate. */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const { name, fetch, stream = streamBy(fetch), now } = options
  const need = async (path: string): Promise<Buffer> => {
    const bytes = await fetch(path)
    if (!bytes) throw notTrusted(`The repository ${name} does not have ${path}.`)
    return bytes
  }
  const manifest = readManifest(await need('.cvmfspublished'))
  if (manifest.repository !== name)
    throw notTrusted(`The manifest is that of ${manifest.repository}, not of ${name}.`)
  const whitelist = readWhitelist(await need('.cvmfswhitelist'), options.masterKeys)
  const absent = (hash: ContentHash) => damaged(`Object ${textOf(hash)} of ${name} is missing at the server.`)
  const object: Repository['object'] = async (hash, kind, entry) => {
    const stored = await fetch(objectPath(hash, kind), { size: entry?.size })
    if (!stored) throw absent(hash)
    return plainForm(stored, hash, { compression: entry?.compression, ...(entry && { most: entry.size }) })
  }
  const content: Repository['content'] = async ({ hash, kind }, entry, take) => {
    const found = await stream(objectPath(hash, kind), async (incoming) => {
      await take(plainPieces(verified(incoming, hash), hash, entry))
      return true
    })
    if (!found) throw absent(hash)
  }
  const certificate = certificateFrom((await object(manifest.certificate, 'certificate')).toString('utf8'))
  checkCertificate(whitelist, { repository: name, certificate, now })
  if (!manifestSignedBy(manifest.signed, certificate))
    throw notTrusted(`The manifest of ${name} is not signed by its certificate.`)
  if (options.atLeast !== undefined && manifest.revision < options.atLeast)
    throw notTrusted(
      `The server offers revision ${manifest.revision} of ${name}, but revision ${options.atLeast} was there before.`,
    )
  const catalogBytes = async (hash: ContentHash) => object(hash, 'catalog')
  let tags: Promise<Tag[]> | undefined
  const readTags = async () => {
    const { history } = manifest
    const found = history ? readHistory(await object(history, 'history')) : undefined
    if (found && found.repository !== name)
      throw notTrusted(`The history is that of ${found.repository}, not of ${name}.`)
    return found?.tags ?? []
  }
  const repository: Repository = {
    ...{ name, manifest, whitelist, object, content },
    tags() {
      tags ??= readTags()
      return tags
    },
    async snapshot(of = TRUNK) {
      const tree = (root: ContentHash, revision?: number) =>
        snapshotOf(name, root, revision, catalogBytes, options.listings)
      if (of === TRUNK) return tree(manifest.root, manifest.revision)
      if (/^[0-9a-f]{40}(-[a-z0-9]+)?$/.test(of)) return tree(hashFromText(of))
      const all = await repository.tags()
      const found = all.find((tag) => (of.startsWith('#') ? `#${tag.revision}` === of : tag.name === of))
      if (found) return tree(found.root, found.revision)
      const known = all.map((tag) => tag.name).filter((tag) => tag !== TRUNK)
      throw noSuchTag(
        `${name} has no tag ${of}. ${known.length > 0 ? `It has ${known.slice(-10).join(', ')}.` : 'It has none.'}`,
      )
    },
  }
  return repository
}

/** For those who have the bytes in memory already, or little of them. */
export const streamBy =
  (fetch: Fetch): FetchStream =>
  async (path, take, options) => {
    const bytes = await fetch(path, options)
    const body = async function* () {
      if (bytes) yield bytes
    }
    return bytes && take({ length: bytes.length, body: body() })
  }

/** A tree, read by means of its catalogues. */
export async function snapshotOf(
  name: string,
  root: ContentHash,
  known: number | undefined,
  bytesOf: (hash: ContentHash) => Promise<Buffer>,
  kept: KeepListing = (_hash, read) => read(),
): Promise<Snapshot> {
  /** Runs `work` with a catalogue open. */
  async function within<T>(hash: ContentHash, work: (catalog: Catalog) => T | Promise<T>): Promise<T> {
    const catalog = openCatalog(await bytesOf(hash))
    try {
      return await work(catalog)
    } finally {
      catalog.close()
    }
  }
  /** The catalogue that holds what is in `path`, with its hash. */
  async function holding<T>(path: string, work: (catalog: Catalog) => T): Promise<T> {
    let hash = root
    for (;;) {
      const step = await within(hash, (catalog) => {
        const deeper = catalog.nested().find((nested) => isWithin(path, nested.path))
        return deeper ? { deeper: deeper.hash } : { found: work(catalog) }
      })
      if ('found' in step) return step.found as T
      hash = step.deeper
    }
  }
  const missing = (path: string) => noSuchPath(`${name} has no ${path || '/'} in this revision.`)
  const revision = known ?? (await within(root, (catalog) => Number(catalog.property('revision') ?? 0)))

  // Read whole and closed before its entries go out: a slow reader holds no file.
  const listingOf = (hash: ContentHash): Promise<Listing> =>
    kept(hash, () =>
      within(hash, (catalog) => ({
        entries: Array.from(catalog.walk(), ({ entry }) => entry),
        nested: catalog.nested().map(({ path, hash }) => ({ path, hash })),
      })),
    )

  async function* walkListing(
    { entries, nested }: Listing,
    from: string,
    enter: (path: string) => boolean,
  ): AsyncGenerator<Entry> {
    const mounted = new Map(nested.map(({ path, hash }) => [path, hash]))
    let closed: string | undefined
    for (const entry of entries) {
      const { path, kind } = entry
      if (!isWithin(path, from) || (closed !== undefined && isWithin(path, closed))) continue
      const entered = kind === 'directory' && enter(path)
      const deeper = mounted.get(path)
      if (entered && deeper) yield* walkListing(await listingOf(deeper), path, enter)
      else yield entry
      closed = kind === 'directory' && !entered ? path : undefined
    }
  }

  return {
    root,
    revision,
    async entry(path) {
      const found = await holding(path, (catalog) => {
        if (path === catalog.mountpoint) return catalog.row(path)?.entry
        const parent = path.slice(0, path.lastIndexOf('/'))
        return catalog.children(parent).find((row) => row.entry.path === path)?.entry
      })
      if (!found) throw missing(path)
      return found
    },
    async list(path) {
      const found = await holding(path, (catalog) =>
        catalog.row(path)?.entry.kind === 'directory'
          ? catalog.children(path).map(({ entry }) => entry)
          : undefined,
      )
      if (!found) throw missing(path)
      return found
    },
    async *walk(path = '', enter = () => true) {
      let listing = await listingOf(root)
      for (;;) {
        const deeper = listing.nested.find((one) => isWithin(path, one.path))
        if (!deeper) break
        listing = await listingOf(deeper.hash)
      }
      let any = false
      for await (const entry of walkListing(listing, path, enter)) {
        any = true
        yield entry
      }
      if (!any) throw missing(path)
    },
    async *catalogs() {
      const open = [{ hash: root, size: -1, path: '' }]
      for (let next = open.shift(); next; next = open.shift()) {
        const bytes = await bytesOf(next.hash)
        const catalog = openCatalog(bytes)
        try {
          open.push(...catalog.nested())
          yield { ...next, size: bytes.length, catalog }
        } finally {
          catalog.close()
        }
      }
    },
  }
}

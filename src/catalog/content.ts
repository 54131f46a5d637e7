import { type Db, type Tx, transaction } from '../kernel/index.ts'
import { availabilityOf, didText, kindOf, some } from './codes.ts'
import * as store from './content.store.ts'
import { holdFiles } from './copies.store.ts'
import { didsByIds, getDids, getDidsByIds, publishContentChange, resolveDids } from './did.ts'
import {
  collectionClosed,
  collectionMonotonic,
  contentNotFound,
  duplicateContent,
  fileConsistencyMismatch,
  unsupportedOperation,
  wouldMakeCycle,
} from './errors.ts'
import { adlerText } from './names.ts'
import { addReplicas } from './replica.ts'
import type { Did, FileDid, KnownDid, NewReplica } from './types.ts'

export interface Attachment extends Did {
  /** Children that exist already, or, with `rseId`, copies to register in the same transaction. */
  readonly dids: readonly (Did & Partial<NewReplica>)[]
  readonly rseId?: number
}

/** Attaches children to parents: all or nothing. Throws duplicate_content (details.duplicates), unless ignoreDuplicate. */
export async function attach(
  db: Db,
  input: {
    vo: string
    now: Date
    accountId: number
    attachments: readonly Attachment[]
    ignoreDuplicate?: boolean
  },
): Promise<{ attached: number }> {
  const { vo, now, accountId, attachments } = input
  return transaction(db, async (tx) => {
    const parents = await resolveDids(tx, { vo, dids: attachments })
    await requireOpen(tx, parents)
    for (const { rseId, dids } of attachments) {
      if (rseId === undefined) continue
      await addReplicas(tx, {
        vo,
        now,
        accountId,
        rseId,
        files: dids as readonly NewReplica[],
        ignoreDuplicate: true,
      })
    }
    const children = await resolveDids(tx, { vo, dids: attachments.flatMap((a) => a.dids) })
    await requireSameContent(
      tx,
      children,
      attachments.flatMap((a) => a.dids),
    )
    const links = linksOf(parents, attachments, children)
    const attached = (await attachFiles(tx, links, input)) + (await attachCollections(tx, links, input))
    if (attached > 0) await publishContentChange(tx, vo, now, [...new Set(parents.map((p) => p.id))])
    return { attached }
  })
}

/** Who says what a file is while attaching it must say what the catalogue knows. */
async function requireSameContent(
  db: Db,
  children: readonly KnownDid[],
  given: readonly (Did & Partial<NewReplica>)[],
): Promise<void> {
  const told = children.flatMap((child, i) =>
    child.kind === 'FILE' && given[i]!.bytes !== undefined ? [{ id: child.id, given: given[i]! }] : [],
  )
  if (told.length === 0) return
  const known = new Map(
    (
      await getDidsByIds(
        db,
        told.map(({ id }) => id),
      )
    ).map((did) => [did.id, did]),
  )
  const differing = told.filter((file) => {
    const did = known.get(file.id)
    if (did?.kind !== 'FILE') return false
    const { bytes, adler32, md5 } = file.given
    return (
      bytes !== did.bytes ||
      (did.adler32 && adler32 && adler32 !== did.adler32) ||
      (did.md5 && md5 && md5 !== did.md5)
    )
  })
  if (differing.length === 0) return
  const names = differing.map((file) => didText(file.given))
  throw fileConsistencyMismatch(`Known with other content: ${some(names)}; nothing was attached.`, {
    files: names.slice(0, 100),
  })
}

interface Link {
  readonly parent: KnownDid
  readonly child: KnownDid
}

function linksOf(
  parents: readonly KnownDid[],
  attachments: readonly Attachment[],
  children: readonly KnownDid[],
): Link[] {
  let next = 0
  const links = attachments.flatMap(({ dids }, i) =>
    dids.map(() => ({ parent: parents[i]!, child: children[next++]! })),
  )
  for (const { parent, child } of links) {
    const files = parent.kind === 'DATASET'
    if ((child.kind === 'FILE') !== files) {
      const holds = files ? 'A dataset holds files only' : 'A container holds datasets and containers only'
      throw unsupportedOperation(`${holds}; ${didText(child)} is a ${child.kind.toLowerCase()}.`)
    }
  }
  return links
}

async function requireOpen(db: Db, parents: readonly KnownDid[]): Promise<void> {
  const file = parents.find((did) => did.kind === 'FILE')
  if (file) throw unsupportedOperation(`${didText(file)} is a file; nothing can be attached to it.`)
  const closed = new Set(
    (await store.lockCollections(db, ids(parents))).filter((c) => !c.open).map((c) => c.id),
  )
  const shut = parents.find((did) => closed.has(did.id))
  if (shut) throw collectionClosed(`${didText(shut)} is closed; reopen it or choose another.`)
}

const ids = (dids: readonly KnownDid[]): bigint[] => dids.map((did) => did.id)

const pairOf = ({ parent, child }: Link): store.Pair => ({ parentId: parent.id, childId: child.id })

async function attachFiles(
  tx: Tx,
  links: readonly Link[],
  options: { ignoreDuplicate?: boolean },
): Promise<number> {
  const wanted = links.filter(({ child }) => child.kind === 'FILE')
  if (wanted.length === 0) return 0
  const pairs = refuseTwice(wanted, options)
  await holdFiles(
    tx,
    pairs.map((pair) => pair.childId),
  )
  const { inserted, there } = await store.insertContent(tx, pairs)
  if (there.length > 0 && !options.ignoreDuplicate) throw duplicate(await didsByIds(tx, there))
  return inserted
}

async function attachCollections(
  db: Db,
  links: readonly Link[],
  options: { ignoreDuplicate?: boolean },
): Promise<number> {
  const wanted = links.filter(({ child }) => child.kind !== 'FILE')
  if (wanted.length === 0) return 0
  const pairs = refuseTwice(wanted, options)
  const duplicates = options.ignoreDuplicate ? [] : await store.existingMembers(db, pairs)
  if (duplicates.length > 0) throw duplicate(duplicates)
  const { inserted, circle } = await store.insertTree(db, pairs)
  if (circle) throw wouldMakeCycle('A container cannot hold itself, not even through others.')
  return inserted
}

function refuseTwice(
  links: readonly Link[],
  { ignoreDuplicate }: { ignoreDuplicate?: boolean },
): store.Pair[] {
  const childrenOf = new Map<bigint, Set<bigint>>()
  const pairs: store.Pair[] = []
  for (const link of links) {
    const { parent, child } = link
    const children = childrenOf.get(parent.id) ?? new Set()
    if (!children.has(child.id)) pairs.push(pairOf(link))
    else if (!ignoreDuplicate) throw duplicate([child])
    childrenOf.set(parent.id, children.add(child.id))
  }
  return pairs
}

function duplicate(dids: readonly Did[]) {
  const names = dids.map(didText).sort()
  const what = names.length > 0 ? some(names) : 'One of the names'
  return duplicateContent(`${what} is attached already; nothing was attached.`, { duplicates: names })
}

/** Throws collection_monotonic, content_not_found; with `ignoreMissing` what is not in it is left out. */
export async function detach(
  db: Db,
  input: { vo: string; now: Date; dids: readonly Did[]; ignoreMissing?: boolean } & Did,
): Promise<{ detached: number }> {
  const { vo, now } = input
  return transaction(db, async (tx) => {
    const [parent] = await resolveDids(tx, { vo, dids: [input] })
    const [lock] = await store.lockCollections(tx, [parent!.id])
    if (!lock) throw unsupportedOperation(`${didText(input)} is a file; it holds nothing.`)
    if (lock.monotonic)
      throw collectionMonotonic(`${didText(input)} is monotonic; nothing can be detached from it.`)
    const children = await resolveDids(tx, { vo, dids: input.dids })
    const pairs = [
      ...new Map(children.map((child) => [child.id, { parentId: parent!.id, childId: child.id }])).values(),
    ]
    const inTree = parent!.kind === 'CONTAINER'
    if (!inTree)
      await holdFiles(
        tx,
        pairs.map((pair) => pair.childId),
      )
    const detached = inTree ? await store.deleteTree(tx, pairs) : await store.deleteContent(tx, pairs)
    if (detached < pairs.length && !input.ignoreMissing) {
      throw contentNotFound(
        `${pairs.length - detached} of the names are not in ${didText(input)}; nothing was detached.`,
      )
    }
    const files = inTree ? [] : pairs.map((pair) => pair.childId)
    await publishContentChange(tx, vo, now, [parent!.id], files)
    return { detached }
  })
}

export interface ContentItem extends KnownDid {
  readonly bytes: bigint | null
  readonly adler32: string | null
  readonly md5: string | null
  readonly guid: string | null
}

const FIRST_PAGE = 100
const PAGE = 1000

/** Pages by key, so that no connection is held while a slow reader reads; the first is small to be quick. */
async function* members(db: Db, table: 'content' | 'tree', parentId: bigint) {
  let after = -1n
  for (let limit = FIRST_PAGE; ; limit = PAGE) {
    const page = await store.selectMembers(db, { table, parentId, after, limit })
    if (page.length > 0) yield page
    if (page.length < limit) return
    after = page.at(-1)!.id
  }
}

/** Direct children, in chunks. */
export async function* listContent(db: Db, input: { vo: string } & Did): AsyncGenerator<ContentItem[]> {
  const [did] = await getDids(db, { vo: input.vo, dids: [input] })
  if (did!.kind === 'FILE') return
  for await (const page of members(db, did!.kind === 'DATASET' ? 'content' : 'tree', did!.id)) {
    yield page.map(({ id, scope, name, kind, bytes, adler32, md5, guid }) => ({
      ...{ id, scope, name, kind: kindOf(kind), md5, guid },
      bytes: kind === null ? bytes : null,
      adler32: adlerText(adler32),
    }))
  }
}

export interface FileOfCollection extends FileDid {
  readonly parentId: bigint | null
}

/** Files below names, datasets one after the other, in chunks; a file in two datasets comes twice. */
export async function* listFiles(
  db: Db,
  input: { vo: string; dids: readonly Did[] },
): AsyncGenerator<FileOfCollection[]> {
  const dids = await getDids(db, input)
  const single = dids.filter((did) => did.kind === 'FILE')
  if (single.length > 0) yield single.map((file) => ({ ...file, parentId: null }))
  const collections = dids.filter((did) => did.kind !== 'FILE').map((did) => did.id)
  for (const dataset of await datasetsOf(db, collections)) {
    for await (const page of members(db, 'content', dataset)) {
      yield page.map(({ kind: _, adler32, availability, ...file }) => ({
        ...file,
        kind: 'FILE' as const,
        adler32: adlerText(adler32),
        availability: availabilityOf(availability),
      }))
    }
  }
}

/** Direct parents. */
export async function listParents(db: Db, input: { vo: string } & Did): Promise<KnownDid[]> {
  const [did] = await resolveDids(db, { vo: input.vo, dids: [input] })
  return store.selectParents(db, did!.id)
}

/** All collections above ids, themselves included when they are collections: pairs. */
export async function ancestorsOf(
  db: Db,
  ids: readonly bigint[],
): Promise<{ id: bigint; ancestorId: bigint }[]> {
  return store.selectAncestors(db, ids)
}

/** Datasets at or below collections (a dataset is its own), distinct. */
export async function datasetsOf(db: Db, collectionIds: readonly bigint[]): Promise<bigint[]> {
  return (await store.selectDatasets(db, collectionIds)).map(({ id }) => id)
}

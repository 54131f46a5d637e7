import { type Db, publish, transaction } from '../kernel/index.ts'
import { AVAILABILITY_CODE, chunks, didText, some } from './codes.ts'
import * as store from './did.store.ts'
import {
  didExists,
  didNotFound,
  invalidInput,
  nameUsedBefore,
  scopeNotFound,
  unsupportedOperation,
} from './errors.ts'
import { ensureFileRows } from './file-rows.store.ts'
import { checkDidName } from './names.ts'
import { selectScopes } from './scope.store.ts'
import type { AnyDid, Did, KnownDid, NewCollection, NewFile } from './types.ts'

/** Creates datasets and containers. All or nothing. Throws did_exists, name_used_before, scope_not_found, invalid_name. */
export async function addCollections(
  db: Db,
  input: { vo: string; now: Date; accountId: number; collections: readonly NewCollection[] },
): Promise<KnownDid[]> {
  const { vo, collections } = input
  for (const did of collections) checkDidName(did)
  refuseTwice(collections)
  const wanted = collections.map(({ scope, name, kind, monotonic = false, meta = {}, expiresAt = null }) => ({
    ...{ scope, name, monotonic, meta, expiresAt },
    kind: kind === 'DATASET' ? ('D' as const) : ('C' as const),
  }))
  return transaction(db, async (tx) => {
    await requireScopes(tx, vo, collections)
    const made = new Map(
      (await store.insertCollections(tx, { ...input, collections: wanted })).map((c) => [didText(c), c.id]),
    )
    const taken = collections.filter((did) => !made.has(didText(did)))
    if (taken.length > 0) await explainTaken(tx, vo, taken)
    return collections.map((did) => ({
      scope: did.scope,
      name: did.name,
      kind: did.kind,
      id: made.get(didText(did))!,
    }))
  })
}

function refuseTwice(dids: readonly Did[]): void {
  const seen = new Set<string>()
  for (const did of dids) {
    const text = didText(did)
    if (seen.has(text)) throw invalidInput(`${text} comes twice in one request.`)
    seen.add(text)
  }
}

async function requireScopes(db: Db, vo: string, dids: readonly Did[]): Promise<void> {
  const names = [...new Set(dids.map((did) => did.scope))]
  const known = new Set((await selectScopes(db, { vo, names })).map((scope) => scope.name))
  const missing = names.filter((name) => !known.has(name))
  if (missing.length > 0) throw scopeNotFound(`There is no scope "${some(missing)}".`)
}

async function explainTaken(db: Db, vo: string, taken: readonly Did[]): Promise<never> {
  const before = (await store.selectNames(db, vo, taken)).filter((did) => did.deleted)
  if (before.length > 0) {
    throw nameUsedBefore(
      `${some(before.map(didText))} existed before; a name is never used twice. Choose another.`,
    )
  }
  throw didExists(`${some(taken.map(didText))} exists already.`)
}

/** Registers file names without copies; known files with equal content are accepted. Throws file_consistency_mismatch. */
export async function addFiles(
  db: Db,
  input: { vo: string; now: Date; accountId: number; files: readonly NewFile[] },
): Promise<KnownDid[]> {
  return transaction(db, async (tx) => {
    const made = await ensureFileRows(tx, input)
    return input.files.map(({ scope, name }, i) => ({ scope, name, kind: 'FILE' as const, id: made[i]!.id }))
  })
}

/** Ids and kinds of names, in the order asked. Throws did_not_found naming the missing ones. */
export async function resolveDids(db: Db, input: { vo: string; dids: readonly Did[] }): Promise<KnownDid[]> {
  const found = await findDids(db, input)
  const missing = input.dids.filter((_, i) => !found[i])
  if (missing.length > 0) {
    throw didNotFound(`${some(missing.map(didText))} does not exist.`, {
      missing: missing.slice(0, 100).map(didText),
    })
  }
  return found as KnownDid[]
}

/** Like resolveDids, with undefined for what is not there. */
export async function findDids(
  db: Db,
  input: { vo: string; dids: readonly Did[] },
): Promise<(KnownDid | undefined)[]> {
  const answer: (KnownDid | undefined)[] = input.dids.map(() => undefined)
  for (const { index, deleted, id, scope, name, kind } of await store.selectNames(db, input.vo, input.dids)) {
    if (!deleted) answer[index] = { id, scope, name, kind }
  }
  return answer
}

/** Names of ids (unknown ids are left out). */
export async function didsByIds(db: Db, ids: readonly bigint[]): Promise<KnownDid[]> {
  return store.selectNamesById(db, ids)
}

export async function getDids(db: Db, input: { vo: string; dids: readonly Did[] }): Promise<AnyDid[]> {
  const known = await resolveDids(db, input)
  const full = new Map(
    (
      await store.selectFull(
        db,
        known.map((did) => did.id),
      )
    ).map((did) => [did.id, did]),
  )
  return known.map((did) => full.get(did.id)!)
}

export async function getDid(db: Db, input: { vo: string } & Did): Promise<AnyDid> {
  const [did] = await getDids(db, { vo: input.vo, dids: [input] })
  return did!
}

/** Everything about ids (unknown ids are left out), order not kept. */
export async function getDidsByIds(db: Db, ids: readonly bigint[]): Promise<AnyDid[]> {
  return store.selectFull(db, ids)
}

/** Open, close, make monotonic (never undone), set or clear the end of life. */
export async function setStatus(
  db: Db,
  input: { vo: string; now: Date; open?: boolean; monotonic?: boolean; expiresAt?: Date | null } & Did,
): Promise<void> {
  await transaction(db, async (tx) => {
    const did = await getDid(tx, input)
    if (did.kind === 'FILE')
      throw unsupportedOperation(`${didText(did)} is a file; only collections have a status.`)
    if (input.monotonic === false && did.monotonic) {
      throw unsupportedOperation(`${didText(did)} is monotonic for ever.`)
    }
    const { now, open, monotonic, expiresAt } = input
    await store.updateStatus(tx, {
      ...{ id: did.id, now },
      ...(open !== undefined && { open }),
      ...(monotonic !== undefined && { monotonic }),
      ...(expiresAt !== undefined && { expiresAt }),
    })
    if (open !== undefined && open !== did.open) {
      const kind = open ? 'catalog.reopened' : 'catalog.closed'
      await publish(tx, now, [{ vo: input.vo, kind, subject: didText(did) }])
    }
  })
}

/** Collections whose life ended, oldest first. */
export async function expiredCollections(db: Db, input: { now: Date; limit: number }): Promise<KnownDid[]> {
  const ids = (await store.selectExpired(db, input)).map(({ id }) => id)
  return store.selectNamesById(db, ids)
}

/** Removes collections from the catalogue (their names stay used); files stay. */
export async function deleteCollections(
  db: Db,
  input: { vo: string; now: Date; ids: readonly bigint[] },
): Promise<void> {
  await transaction(db, async (tx) => {
    const parents = await store.removeCollections(tx, input)
    if (parents.length > 0) await publishContentChange(tx, input.vo, input.now, parents)
  })
}

/** Tells that the content of collections changed: one event, however many files it was. */
export async function publishContentChange(
  db: Db,
  vo: string,
  now: Date,
  collectionIds: readonly bigint[],
  removedFileIds: readonly bigint[] = [],
): Promise<void> {
  const subject = String(collectionIds[0])
  const pieces = [
    ...[...chunks(collectionIds, 1000)].map((ids) => ({ collections: ids.map(String) })),
    ...[...chunks(removedFileIds, 1000)].map((ids) => ({ removedFiles: ids.map(String) })),
  ]
  await transaction(db, (tx) =>
    publish(
      tx,
      now,
      pieces.map((payload) => ({ vo, kind: 'catalog.content_changed', subject, payload })),
    ),
  )
}

/** Marks files LOST, DELETED or AVAILABLE again. */
export async function setAvailability(
  db: Db,
  input: { now: Date; fileIds: readonly bigint[]; availability: 'AVAILABLE' | 'LOST' | 'DELETED' },
): Promise<void> {
  await store.updateAvailability(db, input.fileIds, AVAILABILITY_CODE[input.availability], input.now)
}

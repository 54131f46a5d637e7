import { randomUUID } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { transaction } from '../kernel/database.ts'
import { approvalFor } from './approval.ts'
import type { Context } from './context.ts'
import { badPath, brokenOff, noSuchPublication, noWhitelist, publicationConflict } from './errors.ts'
import { isWithin } from './format/entry.ts'
import { type Algorithm, textOf } from './format/hash.ts'
import { CHUNK_BYTES } from './local/pieces.ts'
import { hasContents, knownContents } from './object.store.ts'
import { storePack } from './objects.ts'
import { approvalsOf } from './proposal.store.ts'
import { propose } from './propose.ts'
import * as store from './publication.store.ts'
import { lastTouched, lockRepository } from './repository.store.ts'
import { type Changes, type MadeRevision, makeRevision } from './revisions.ts'

/** A publisher that says nothing for this long has gone. */
const LEASE_MS = 10 * 60_000
/** Saying so again within this time is not worth writing down. */
const EXTEND_EACH_MS = 30_000

export interface OpenedPublication {
  readonly id: string
  readonly algorithm: Algorithm
  readonly revision: bigint
  readonly rootHash: string | null
  /** The newest revision that changed something where is to be published. */
  readonly touchedBy: bigint
  /** There is no content yet, so that none need be asked for. */
  readonly bare: boolean
  /** When the repository was made: another one of its name is not this one. */
  readonly madeAt: Date
  readonly expiresAt: Date
}

/** Normalizes and checks a path in a repository: `/releases/08`, or nothing for all of it. */
export function checkPath(path: string): string {
  const names = path.split('/').filter(Boolean)
  if (names.some((name) => name === '.' || name === '..' || name.includes('\0')) || path.length > 4096)
    throw badPath(`${path} is no path in a repository.`)
  return names.map((name) => `/${name}`).join('')
}

/**
 * Begins to publish below a path. Others may do so elsewhere at the same time; whoever wants to publish above, below or
 * at the same path is told who is at work there.
 */
export async function openPublication(
  context: Context,
  input: { repository: string; vo: string; path: string; account: string; source: string },
): Promise<OpenedPublication> {
  const { db, clock, ids } = context
  const { vo, account, source } = input
  const repository = await context.own(input.repository, vo)
  const path = checkPath(input.path)
  const now = clock.now()
  if (!repository.whitelist || !repository.whitelistExpiresAt || repository.whitelistExpiresAt <= now)
    throw noWhitelist(`${repository.name} has no valid whitelist: no client would accept a new revision.`)
  return transaction(db, async (tx) => {
    const current = (await lockRepository(tx, repository.id))!
    await store.expirePublications(tx, now)
    const others = await store.openPublications(tx, repository.id)
    const other = others.find((one) => isWithin(one.path, path) || isWithin(path, one.path))
    if (other)
      throw publicationConflict(
        `${other.account} has been publishing ${other.path || '/'} of ${repository.name} since ${other.openedAt.toISOString()} from ${other.source}. Wait, or let it be cancelled: kumi software cancel ${other.id}`,
        { publication: other.id, path: other.path, account: other.account },
      )
    const id = ids.uuid()
    const expiresAt = new Date(now.getTime() + LEASE_MS)
    await store.insertPublication(tx, now, {
      ...{ id, repositoryId: repository.id, path, account, source, base: current.revision, expiresAt },
    })
    const { algorithm, revision, rootHash, createdAt: madeAt } = current
    return {
      id,
      algorithm,
      revision,
      rootHash,
      touchedBy: await lastTouched(tx, repository.id, path),
      bare: !(await hasContents(tx, repository.id)),
      madeAt,
      expiresAt,
    }
  })
}

/** The publication, which must be open; it is then open for longer. */
async function atWork(context: Context, id: string): Promise<store.PublicationRow> {
  const now = context.clock.now()
  const found = await store.publicationOf(context.db, id)
  if (!found) throw noSuchPublication(`There is no publication ${id}.`)
  const left = found.expiresAt.getTime() - now.getTime()
  if (found.state === 'open' && left > LEASE_MS - EXTEND_EACH_MS) return found
  if ((await store.extendPublication(context.db, id, now, new Date(now.getTime() + LEASE_MS))) === 0)
    throw publicationConflict('This publication has ended or expired; begin anew.')
  return found
}

export async function publicationOf(context: Context, id: string): Promise<store.PublicationRow> {
  const found = await store.publicationOf(context.db, id)
  if (!found) throw noSuchPublication(`There is no publication ${id}.`)
  return found
}

/** Which contents are stored already: SHA-256 to name. */
export async function knownObjects(
  context: Context,
  id: string,
  plains: readonly string[],
): Promise<{ plain: string; hash: string }[]> {
  const { repositoryId, repository } = await atWork(context, id)
  const { algorithm } = await context.repository(repository)
  const found = await knownContents(context.db, context.clock.now(), repositoryId, plains)
  return found.map(({ plain, hash }) => ({ plain, hash: textOf({ algorithm, hex: hash }) }))
}

/** Takes a pack of objects, after looking at every one. The memory of what is given is given away, too. */
export async function acceptPack(context: Context, id: string, coming: Buffer): Promise<{ objects: number }> {
  const { repositoryId, repository } = await atWork(context, id)
  const { pack, entries } = await context.checkPack(coming, CHUNK_BYTES)
  const { algorithm } = await context.repository(repository)
  if (entries.some(({ hash, plain }) => hash.algorithm !== algorithm || plain === undefined))
    throw badPath(`Objects of ${repository} are named by ${algorithm}, and come with their SHA-256.`)
  await storePack(context, context.clock.now(), { id: repositoryId, name: repository }, pack, entries)
  return { objects: entries.length }
}

/**
 * Makes the revision of a publication from its changes, one a line, and begins while they still come. Where somebody else
 * has to approve, it is proposed.
 */
export async function commitPublication(
  context: Context,
  id: string,
  changes: Readable,
  tag: { name: string; description: string } | undefined,
): Promise<MadeRevision> {
  // Whoever breaks off before anybody reads is noticed when somebody does.
  changes.on('error', () => undefined)
  const publication = await atWork(context, id)
  await mkdir(context.workDirectory, { recursive: true })
  const file = join(context.workDirectory, `${randomUUID()}.changes`)
  // It is written to its end whatever happens, so that whoever sends it hears why it was refused.
  const growingFile = growing(file, changes)
  const early = context.composeEarly()
  try {
    if (!early) {
      await growingFile.received
      await atWork(context, id)
    }
    const { path, account, source, repositoryId, repository, openedAt } = publication
    // Catalogues of very many entries take their time.
    const extend = async () => void (await atWork(context, id))
    return await makeRevision(
      context,
      { id: repositoryId, name: repository },
      {
        kind: 'publish',
        path,
        account,
        source,
        tag,
        changes: growingFile,
        publication: { id, openedAt, extend },
      },
      approvalFor(await approvalsOf(context.db, repositoryId), { path, tag: tag?.name })
        ? propose
        : undefined,
    )
  } finally {
    early?.()
    await rm(file, { force: true })
  }
}

/** As much is worth telling the one who composes. */
const WORTH_TELLING = 1 << 17

/** Writes what comes into a file; `received` when that is all. */
export function growing(file: string, coming: Readable): Changes & { readonly received: Promise<void> } {
  let [there, over] = [0, false]
  let wake = (): void => undefined
  async function receive(): Promise<void> {
    const handle = await open(file, 'w')
    try {
      for await (const block of unbroken(coming)) {
        await handle.appendFile(block)
        there += Buffer.byteLength(block)
        wake()
      }
    } finally {
      over = true
      wake()
      await handle.close()
    }
  }
  const received = receive()
  received.catch(() => undefined)
  return {
    file,
    received,
    async beyond(bytes) {
      while (!over && there < bytes + WORTH_TELLING)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      if (over) await received
      return there
    },
  }
}

/** A publisher may go away, or find that nothing is to be changed after all. */
async function* unbroken(coming: Readable): AsyncGenerator<Uint8Array | string> {
  try {
    yield* coming
  } catch (error) {
    throw brokenOff('The changes broke off before their end.', {}, error)
  }
}

/** Gives up; what was uploaded is collected later. False when it was over already. */
export async function cancelPublication(context: Context, id: string): Promise<boolean> {
  await publicationOf(context, id)
  return (await store.endPublication(context.db, id, 'cancelled', null)) > 0
}

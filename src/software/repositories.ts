import { type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Worker } from '../kernel/workers.ts'
import type { Context } from './context.ts'
import { badName, repositoryExists } from './errors.ts'
import * as keys from './keys.ts'
import { type MirrorRow, mirrorOf } from './mirror.store.ts'
import { usageOf } from './object.store.ts'
import { type ApprovalRow, approvalsOf } from './proposal.store.ts'
import * as store from './repository.store.ts'
import { makeRevision, signAgain } from './revisions.ts'

export interface NewRepository {
  readonly vo: string
  readonly name: string
  readonly title: string
  readonly account: string
  readonly algorithm?: 'sha1' | 'shake128' | undefined
  /** PEM of a public key whose private half somebody keeps: whitelists are then brought. */
  readonly masterPublicPem?: string | undefined
}

export interface RepositoryState {
  readonly name: string
  readonly title: string
  readonly algorithm: string
  readonly revision: bigint
  readonly rootHash: string | null
  readonly publishedAt: Date | null
  readonly whitelistExpiresAt: Date | null
  /** Whether the master key is here and whitelists renew themselves. */
  readonly renewsItself: boolean
  readonly masterPublicPem: string
  readonly certificates: readonly { createdAt: Date; listedUntil: Date | null }[]
  readonly tags: readonly store.TagRow[]
  /** Below which paths somebody else has to approve what is published. */
  readonly approvals: readonly ApprovalRow[]
  readonly objects: bigint
  readonly usedBytes: bigint
  readonly storedBytes: bigint
  /** Where it comes from and how that goes, if it is a mirror. */
  readonly mirror: MirrorRow | null
  readonly mirrorOf: readonly string[] | null
}

const DAY_MS = 86_400_000
const NAME = /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+$/

export function checkName(name: string): void {
  if (!NAME.test(name) || name.length > 60)
    throw badName(
      `"${name}" cannot be the name of a repository: it needs small letters, digits, "-" and "_", and at least one dot, as koto.example.org; at most 60 characters.`,
    )
}

/** A repository with its keys, its whitelist and an empty first revision. */
export async function createRepository(context: Context, input: NewRepository): Promise<RepositoryState> {
  const { db, clock, sealKey, audit } = context
  const { vo, name, title, account, algorithm = 'shake128' } = input
  checkName(name)
  const master = input.masterPublicPem
    ? { publicPem: keys.checkMasterPublic(input.masterPublicPem), sealed: null }
    : await keys.newMasterKey(sealKey)
  await transaction(db, async (tx) => {
    const now = clock.now()
    const made = await store.insertRepository(tx, now, {
      ...{ vo, name, title, algorithm, masterPublicPem: master.publicPem, masterKey: master.sealed },
    })
    if (!made) throw repositoryExists(`There is a repository ${name} already.`)
    await keys.addSigningKey(tx, now, made, sealKey)
    if (made.masterKey) await keys.renewWhitelist(tx, now, made, sealKey)
    await publish(tx, now, [{ vo, kind: 'software.created', subject: name, payload: { account } }])
    await audit(tx, { vo, actor: account, action: 'software.created', target: name, detail: { algorithm } })
  })
  const repository = await context.repository(name)
  await makeRevision(context, repository, {
    kind: 'publish',
    path: '',
    account,
    source: '',
    changes: undefined,
  })
  return describeRepository(context, name, vo)
}

export async function describeRepository(
  context: Context,
  name: string,
  vo: string,
): Promise<RepositoryState> {
  const repository = await context.repository(name, vo)
  const { db, clock } = context
  const [mirror, tags, approvals, certificates, usage] = [
    (repository.mirrorOf && (await mirrorOf(db, repository.id))) ?? null,
    await store.tagsOf(db, repository.id),
    await approvalsOf(db, repository.id),
    await store.keysOf(db, repository.id, clock.now()),
    await usageOf(db, repository.id),
  ]
  const { title, algorithm, revision, rootHash, publishedAt, whitelistExpiresAt, masterPublicPem } =
    repository
  return {
    ...{ name, title, algorithm, revision, rootHash, publishedAt, whitelistExpiresAt, masterPublicPem, tags },
    approvals,
    renewsItself: repository.masterKey !== null,
    certificates: certificates.map(({ createdAt, listedUntil }) => ({ createdAt, listedUntil })),
    ...usage,
    mirror,
    mirrorOf: repository.mirrorOf,
  }
}

/** A new signing key from now on; whitelist and manifest are signed anew in the same transaction. */
export async function rotateKey(context: Context, name: string, vo: string, account: string): Promise<void> {
  const repository = await context.own(name, vo)
  const { db, clock, sealKey, audit } = context
  await transaction(db, async (tx) => {
    const now = clock.now()
    const locked = (await store.lockRepository(tx, repository.id))!
    await keys.addSigningKey(tx, now, locked, sealKey)
    await keys.renewWhitelist(tx, now, locked, sealKey)
    await audit(tx, { vo, actor: account, action: 'software.key_rotated', target: name })
  })
  await signAgain(context, await context.repository(name))
}

/** What is to be signed by a master key that is kept elsewhere. */
export async function whitelistToSign(context: Context, name: string, vo: string): Promise<string> {
  const repository = await context.own(name, vo)
  return transaction(context.db, (tx) => keys.whitelistToSign(tx, context.clock.now(), repository))
}

export async function bringWhitelist(
  context: Context,
  name: string,
  vo: string,
  account: string,
  bytes: Buffer,
): Promise<{ expiresAt: Date }> {
  const repository = await context.own(name, vo)
  return transaction(context.db, async (tx) => {
    const { expiresAt } = await keys.acceptWhitelist(tx, context.clock.now(), repository, bytes)
    await context.audit(tx, { vo, actor: account, action: 'software.whitelist_brought', target: name })
    return { expiresAt }
  })
}

/** Signs whitelists anew long before they end. */
export function whitelistWorker(context: Context): Worker {
  const { db, sealKey, log } = context
  const renewAt = (end: Date) => new Date(end.getTime() - (keys.WHITELIST_DAYS - keys.RENEW_DAYS) * DAY_MS)
  return {
    name: 'software-whitelists',
    wakeOn: [],
    async tick(now) {
      const before = new Date(now.getTime() + (keys.WHITELIST_DAYS - keys.RENEW_DAYS) * DAY_MS)
      const due = await store.whitelistsDue(db, before)
      for (const { id, name, vo } of due) {
        await transaction(db, async (tx: Tx) => {
          const locked = (await store.lockRepository(tx, id))!
          await keys.renewWhitelist(tx, now, locked, sealKey)
          await publish(tx, now, [{ vo, kind: 'software.whitelist_renewed', subject: name }])
        })
        log.info({ repository: name }, 'whitelist renewed')
      }
      const next = await store.firstWhitelistEnd(db)
      return { changed: 0, nextWake: next && renewAt(next) }
    },
  }
}

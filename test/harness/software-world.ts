import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { MailToAccounts } from '../../src/identity/index.ts'
import { type Clock, type Database, silentLogger, systemPorts } from '../../src/kernel/index.ts'
import { softwareThreads } from '../../src/software/context.ts'
import { hashFromPath, hashFromText, letterOf } from '../../src/software/format/hash.ts'
import { publicKeysFrom } from '../../src/software/format/signed.ts'
import { createSoftware, type Software } from '../../src/software/index.ts'
import { entryLine } from '../../src/software/local/changes.ts'
import { type PublishDoor, type PublishReport, publishDirectory } from '../../src/software/local/publish.ts'
import { checkRepository } from '../../src/software/reader/check.ts'
import { type Fetch, openRepository, type Repository } from '../../src/software/reader/repository.ts'
import { guardedOutbound, posixDriver, type StorageDriver } from '../../src/storage/index.ts'

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const REPOSITORY = 'koto.example.org'
export const PROPOSAL_SECONDS = 14 * 86_400
export const who = { vo: 'demo', account: 'mika', source: 'laptop:/home/mika' }

/** A thread takes a second to start, so that all worlds of a process share some. */
const threads = softwareThreads()

/** The software room on a database and a directory, and a publisher and a reader beside it, without HTTP between. */
export function softwareWorld(
  database: Database,
  options: {
    clock?: Clock
    graceSeconds?: number
    directory?: string
    /** Where packs lie; a directory unless one is given. */
    storage?: StorageDriver
    /** `host:port` of what may be mirrored. */
    mirrored?: readonly string[]
    mirrorDeadlineMs?: number
  } = {},
) {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'kumi-software-'))
  const clock = options.clock ?? systemPorts.clock
  const audited: string[] = []
  const told: MailToAccounts[] = []
  const files = posixDriver(join(directory, 'store'))
  const storage = options.storage ?? files
  const outbound = guardedOutbound({ allowed: options.mirrored ?? [], listedPlain: true })
  const software = createSoftware({
    originals: {
      ...{ outbound, directory: join(directory, 'mirrors'), mostBytes: 1_000_000_000 },
      deadlineMs: options.mirrorDeadlineMs ?? 5_000,
    },
    ...{
      db: database.db,
      clock,
      ids: systemPorts.ids,
      log: silentLogger,
      storage,
      sealKey: Buffer.alloc(32, 7),
    },
    ...{ workDirectory: join(directory, 'work'), graceSeconds: options.graceSeconds ?? 0 },
    threads,
    // What is served is what is stored: a test sees at once when something is missing.
    packCacheBytes: 0,
    audit: async (_tx, ...entries) => void audited.push(...entries.map(({ action }) => action)),
    proposalSeconds: PROPOSAL_SECONDS,
    tell: async (_tx, _now, mail) => void told.push(mail),
    approvers: async () => ['aki', who.account],
  })
  const fetch: Fetch = (path) => fetchFrom(software, REPOSITORY, path)
  const reader = async (): Promise<Repository> => {
    const { masterPublicPem } = await software.describe(REPOSITORY, 'demo')
    const masterKeys = publicKeysFrom(masterPublicPem)
    return openRepository({ name: REPOSITORY, fetch, masterKeys, now: clock.now() })
  }
  const door: PublishDoor = {
    async open(path, source) {
      const opened = await software.openPublication({ ...who, repository: REPOSITORY, path, source })
      return { ...opened, revision: Number(opened.revision), touchedBy: Number(opened.touchedBy) }
    },
    content: (id) => ({
      known: async (plains) =>
        new Map((await software.knownObjects(id, plains)).map(({ plain, hash }) => [plain, hash])),
      upload: async (pack) => void (await software.acceptPack(id, Buffer.from(pack))),
    }),
    async commit(id, lines: Readable, tag) {
      const made = await software.commit(id, lines, tag)
      return { ...made, revision: Number(made.revision) }
    },
    tag: (revision, tag) =>
      software.tag(REPOSITORY, 'demo', { ...tag, revision: BigInt(revision), account: who.account }),
    cancel: async (id) => void (await software.cancel(id)),
    async *published(root, path) {
      const snapshot = await (await reader()).snapshot(root)
      try {
        for await (const entry of snapshot.walk(path)) yield { path: entry.path, line: entryLine(entry) }
      } catch (error) {
        if ((error as { code?: string }).code !== 'software_no_such_path') throw error
      }
    },
  }
  return {
    ...{ directory, software, storage, fetch, reader, door, audited, told, clock },
    /** What a server does when it starts. */
    prepare: () => files.sweep(),
    begin: async () => {
      await files.sweep()
      await software.create({ vo: 'demo', name: REPOSITORY, title: 'Koto', account: who.account })
    },
    publish: (
      from: string,
      to = '',
      more: { tag?: string; cacheFile?: string } = {},
    ): Promise<PublishReport> =>
      publishDirectory({
        ...{ door, directory: from, to, source: `laptop:${from}`, cacheFile: more.cacheFile },
        tag: more.tag === undefined ? undefined : { name: more.tag, description: '' },
      }),
    /** Contents of all files of a tree by path. */
    async contents(of?: string): Promise<Record<string, string>> {
      const repository = await reader()
      const snapshot = await repository.snapshot(of)
      const found: Record<string, string> = {}
      for await (const entry of snapshot.walk()) {
        if (entry.kind !== 'file') continue
        const parts = entry.chunks
          ? await Promise.all(entry.chunks.map((c) => repository.object(c.hash, 'chunk', { size: c.size })))
          : [await repository.object(entry.content!, 'file', entry)]
        found[entry.path] = Buffer.concat(parts).toString('latin1')
      }
      return found
    },
    async problems(of?: string): Promise<readonly string[]> {
      const repository = await reader()
      return (await checkRepository(repository, await repository.snapshot(of), { fetch, data: true }))
        .problems
    },
    root: async () => hashFromText((await software.describe(REPOSITORY, 'demo')).rootHash!),
    async close(): Promise<void> {
      await software.close()
      outbound.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type SoftwareWorld = ReturnType<typeof softwareWorld>

export async function fetchFrom(software: Software, name: string, path: string): Promise<Buffer | undefined> {
  const documents = {
    '.cvmfspublished': 'manifest',
    '.cvmfswhitelist': 'whitelist',
    '.cvmfsreflog': 'reflog',
  } as const
  if (path in documents)
    return (await software.document(name, documents[path as keyof typeof documents]))?.bytes
  const hash = hashFromPath(path)
  const object = hash && (await software.object(name, hash, letterOf(path)))
  if (!object) return undefined
  const body = await object.read()
  if (Buffer.isBuffer(body)) return body
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

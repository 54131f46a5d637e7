import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { defineError, isGridError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/ports.ts'
import { hashFromPath, hashOf, sameHash } from '../software/format/hash.ts'
import { incomingFrom } from '../software/format/incoming.ts'
import { publicKeysFrom } from '../software/format/signed.ts'
import { cleanStore } from '../software/local/clean.ts'
import { materialise } from '../software/local/materialise.ts'
import { NOTE, sayUsed } from '../software/local/tree-note.ts'
import { type FetchStream, openRepository } from '../software/reader/repository.ts'
import type { PilotConfig } from './config.ts'
import type { Mounted } from './isolation.ts'

const softwareFailed = defineError('transient', 'software_failed')
const softwareMissing = defineError('missing', 'software_missing')

/** As a job names it. */
export interface PinnedRelease {
  readonly repository: string
  readonly revision: number
  readonly root: string
  readonly masterPublicPem: string
}

export interface SoftwareShelf {
  /**
   * The tree of a release, fetched and verified as far as it is not here yet. Throws software_failed when the server cannot
   * be asked, software_missing when it does not have that tree any more or what it gives is not that.
   */
  provide(release: PinnedRelease, signal: AbortSignal): Promise<Mounted>
  close(): Promise<void>
}

/** A cache that does not answer is not asked again for so long. */
const ILL_MS = 60_000
/** Longer than any job may take. */
const UNUSED_MS = 30 * 86_400_000
/** It may have been fetched just now, for a tree that is being made. */
const LOOSE_MS = 86_400_000

/** Software for the jobs of a place: trees by their root hashes, files shared between them. */
export function softwareShelf(config: PilotConfig, { now }: Pick<Clock, 'now'>): SoftwareShelf {
  const directory = config.softwareDirectory ?? join(config.directory, 'software')
  const ca = config.ca ? readFileSync(config.ca) : undefined
  const agent = new Agent({ connections: 16, ...(ca && { connect: { ca } }) })
  const coming = new Map<string, Promise<Mounted>>()
  const illUntil = new Map<string, number>()
  const stopping = new AbortController()

  async function ask(server: string, path: string, signal: AbortSignal) {
    const url = `${server}/cvmfs/${path}`
    const answer = await request(url, { dispatcher: agent, signal })
    if (answer.statusCode === 200) return answer
    await answer.body.dump()
    if (answer.statusCode === 404) return undefined
    throw softwareFailed(`${url} was answered with ${answer.statusCode}.`)
  }
  async function fetchAt(server: string, path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const answer = await ask(server, path, signal)
    return answer && Buffer.from(await answer.body.arrayBuffer())
  }
  /** From a cache nearby when it has it and it is right, else from the server: nobody fails because of a cache. */
  async function nearest<T>(
    signal: AbortSignal,
    askAt: (server: string) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    for (const server of config.softwareServers) {
      if ((illUntil.get(server) ?? 0) > now().getTime()) continue
      try {
        const found = await askAt(server)
        if (found) return found
      } catch (error) {
        if (signal.aborted) throw error
        illUntil.set(server, now().getTime() + ILL_MS)
      }
    }
    return askAt(config.server)
  }
  const nearestFetch = (path: string, signal: AbortSignal) =>
    nearest(signal, async (server) => {
      const hash = hashFromPath(path.slice(path.indexOf('/') + 1))
      const bytes = await fetchAt(server, path, signal)
      const right = bytes && (!hash || sameHash(hashOf(bytes, hash.algorithm), hash))
      // What the server itself gives is compared by whoever reads it.
      return right || server === config.server ? bytes : undefined
    })
  const nearestStream =
    (name: string, signal: AbortSignal): FetchStream =>
    (path, take) =>
      nearest(signal, async (server) => {
        const answer = await ask(server, `${name}/${path}`, signal)
        return answer && take(incomingFrom(answer.headers, answer.body))
      })

  async function made(release: PinnedRelease, signal: AbortSignal): Promise<Mounted> {
    const { repository: name, root, masterPublicPem } = release
    const tree = join(directory, 'trees', name, root)
    if (!existsSync(join(tree, NOTE))) {
      const masterKeys = publicKeysFrom(masterPublicPem)
      const open = (from: typeof nearestFetch) =>
        openRepository({
          ...{ name, masterKeys, now: now(), fetch: (path) => from(`${name}/${path}`, signal) },
          stream: nearestStream(name, signal),
        })
      const repository = await open(nearestFetch).catch((error) => {
        if (signal.aborted) throw error
        return open((path) => fetchAt(config.server, path, signal))
      })
      const snapshot = await repository.snapshot(root)
      const store = join(directory, 'files')
      await materialise({ repository, snapshot, directory: tree, store, signal })
    }
    sayUsed(tree, now())
    return { repository: name, tree }
  }

  /** Whoever wants the same waits for the same; it goes on when one of them does not want it any more. */
  function shared(release: PinnedRelease): Promise<Mounted> {
    const key = `${release.repository} ${release.root}`
    const known = coming.get(key)
    if (known) return known
    const work = made(release, stopping.signal)
      .catch((error) => {
        const text = `${release.repository} revision ${release.revision}: ${(error as Error).message}`
        // What the repository does not have, or what it does not sign, it does not have at other sites either.
        const gone = isGridError(error) && error.code.startsWith('software_') && error.kind !== 'transient'
        throw gone ? softwareMissing(text, {}, error) : softwareFailed(text, {}, error)
      })
      .finally(() => coming.delete(key))
    coming.set(key, work)
    return work
  }

  return {
    provide: (release, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        shared(release).then(resolve, reject)
      }),
    async close() {
      stopping.abort()
      await Promise.allSettled(coming.values())
      await agent.destroy()
      tidy(directory, now().getTime())
    },
  }
}

/** Removes trees that no job used for long, and files that no tree shows any more. */
export function tidy(directory: string, now: number): void {
  cleanStore({ directory, before: new Date(now - UNUSED_MS), looseBefore: new Date(now - LOOSE_MS) })
}

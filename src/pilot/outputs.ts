import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { defineError, isGridError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import { type Digests, digester } from '../storage/digests.ts'
import type { WebdavClient } from '../storage/webdav.ts'
import type { Place } from './inputs.ts'
import type { Server } from './server.ts'

export const outputMissing = defineError('invalid', 'output_missing')
const uploadFailed = defineError('transient', 'upload_failed')

export interface StoredFile extends Digests {
  readonly output: number
  readonly scope: string
  readonly name: string
  readonly rse: string
  readonly bytes: number
}

interface Promised {
  readonly file: string
  readonly scope: string
  readonly name: string
  readonly places: readonly Place[]
}

/** Finished work is not thrown away because storages are away for a while. */
const PATIENCE_MS = 30 * 60_000

/** Files below a directory whose names match, relative to it; links are no files, and `*` stays within a directory. */
export async function matching(
  directory: string,
  pattern: string,
  except: ReadonlySet<string>,
): Promise<string[]> {
  const source = pattern
    .split('/')
    .map((part) =>
      part
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '[^/]*')
        .replaceAll('?', '[^/]'),
    )
    .join('/')
  const wanted = new RegExp(`^${source}$`)
  return (await filesBelow(directory)).filter((name) => wanted.test(name) && !except.has(name))
}

/** All files below a directory, relative to it, links left out. */
export async function filesBelow(directory: string): Promise<string[]> {
  const found: string[] = []
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const name = below ? `${below}/${entry.name}` : entry.name
      if (entry.isDirectory()) await visit(name)
      else if (entry.isFile()) found.push(name)
    }
  }
  await visit('')
  return found.sort()
}

/**
 * Stores the files that a job was to make. Name and place are the server's; when the first place refuses, the next one is
 * tried. Throws output_missing when a pattern matches nothing, upload_failed when no storage takes a file for half an hour.
 */
export async function storeOutputs(
  deps: { server: Server; client: WebdavClient; clock: Clock; signal: AbortSignal },
  job: {
    jobId: number
    attempt: number
    directory: string
    patterns: readonly string[]
    except: ReadonlySet<string>
  },
): Promise<StoredFile[]> {
  const files: { output: number; file: string }[] = []
  for (const [output, pattern] of job.patterns.entries()) {
    const found = await matching(job.directory, pattern, job.except)
    const fresh = found.filter((name) => !files.some(({ file }) => file === name))
    if (fresh.length === 0) throw outputMissing(`Nothing matches the output "${pattern}".`)
    for (const file of fresh) files.push({ output, file })
  }
  if (files.length === 0) return []
  const question = { jobId: job.jobId, attempt: job.attempt, files }
  const promised = (await deps.server.ask<{ files: Promised[] }>('outputs', question)).files
  const stored: StoredFile[] = []
  for (const { output, file } of files) {
    const promise = promised.find((each) => each.file === file)!
    stored.push({ output, ...(await storeOne(deps, join(job.directory, file), promise)) })
  }
  return stored
}

async function storeOne(
  deps: { client: WebdavClient; clock: Clock; signal: AbortSignal },
  path: string,
  promise: Promised,
): Promise<Omit<StoredFile, 'output'>> {
  const { client, clock, signal } = deps
  // The payload is over, but what it left may be a link by now: it is not followed.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const bytes = (await handle.stat()).size
    const sums = digester()
    for await (const chunk of partsOf(handle)) sums.update(chunk)
    const expected = sums.done()
    const until = clock.now().getTime() + PATIENCE_MS
    for (let failures = 0; ; ) {
      for (const place of promise.places) {
        try {
          const put = { size: bytes, expected, overwrite: false, signal }
          await client.put(place.url, place.token, partsOf(handle), put)
          return { ...expected, ...nameOf(promise), rse: place.rse, bytes }
        } catch (error) {
          signal.throwIfAborted()
          if (isGridError(error, 'already_exists') && (await isThere(client, place, bytes, expected)))
            return { ...expected, ...nameOf(promise), rse: place.rse, bytes }
          if (clock.now().getTime() > until)
            throw uploadFailed(`No storage takes ${promise.name}: ${(error as Error).message}`, {}, error)
        }
      }
      await clock.sleep(
        backoffMs(++failures, { firstMs: 1000, capMs: 60_000 }, { next: Math.random }),
        signal,
      )
    }
  } finally {
    await handle.close()
  }
}

const nameOf = ({ scope, name }: Promised) => ({ scope, name })

/** An upload whose answer was lost may have arrived. */
async function isThere(
  client: WebdavClient,
  place: Place,
  bytes: number,
  expected: Digests,
): Promise<boolean> {
  const found = await client.stat(place.url, place.token)
  return found?.size === BigInt(bytes) && found.adler32 === expected.adler32
}

async function* partsOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(256 << 10), 0, 256 << 10, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { eachOf } from '../kernel/each.ts'
import { defineError, isGridError } from '../kernel/errors.ts'
import { checkDigests, digester } from '../storage/digests.ts'
import type { WebdavClient } from '../storage/webdav.ts'
import type { Server } from './server.ts'

const inputFailed = defineError('transient', 'input_failed')

export interface Place {
  readonly rse: string
  readonly url: string
  readonly token: string
}

interface InputFile {
  readonly scope: string
  readonly name: string
  readonly bytes: number | string
  readonly adler32: string | null
  readonly md5: string | null
  readonly places: readonly Place[]
}

const PER_QUESTION = 50
/** Files of a job that come at the same time. */
const AT_ONCE = 4
/** Rounds over all copies before the inputs count as not to be had from here. */
const ROUNDS = 2

/**
 * Fetches a job's inputs into its directory, each from the nearest copy that gives the right bytes; answers the names
 * they have there. Throws input_failed when no copy of a file can be read.
 */
export async function fetchInputs(
  deps: { server: Server; client: WebdavClient; signal: AbortSignal },
  job: { jobId: number; attempt: number; inputs: number; directory: string },
  onFile: (done: number) => void,
): Promise<string[]> {
  const names: string[] = []
  let done = 0
  for (let from = 0; from < job.inputs; from += PER_QUESTION) {
    const question = { jobId: job.jobId, attempt: job.attempt, from, count: PER_QUESTION }
    const { files } = await deps.server.ask<{ files: InputFile[] }>('inputs', question)
    const wanted = Math.min(PER_QUESTION, job.inputs - from)
    if (files.length < wanted) throw inputFailed('An input file is not in the catalogue any more.')
    const named = files.map((file) => {
      const name = freeName(file.name.split('/').at(-1)!, names)
      names.push(name)
      return { file, target: join(job.directory, name) }
    })
    let missing: unknown
    await eachOf(named, AT_ONCE, async ({ file, target }) => {
      // Without one of them the others are of no use.
      if (missing !== undefined) return
      try {
        await fetchOne(deps, file, target)
        onFile(++done)
      } catch (error) {
        missing = error
      }
    })
    if (missing !== undefined) throw missing
  }
  return names
}

/** Two inputs of the same name get numbers. */
function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name
  for (let n = 2; ; n++) if (!taken.includes(`${n}_${name}`)) return `${n}_${name}`
}

async function fetchOne(
  { client, signal }: { client: WebdavClient; signal: AbortSignal },
  file: InputFile,
  target: string,
): Promise<void> {
  let last: unknown
  for (let round = 0; round < ROUNDS; round++) {
    for (const place of file.places) {
      try {
        return await fetchFrom(client, file, place, target, signal)
      } catch (error) {
        signal.throwIfAborted()
        last = error
      }
    }
  }
  const why = isGridError(last) ? last.message : file.places.length === 0 ? 'it has no copy' : String(last)
  throw inputFailed(`${file.scope}:${file.name} cannot be read: ${why}`, {}, last)
}

async function fetchFrom(
  client: WebdavClient,
  file: InputFile,
  place: Place,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  // The signal lives as long as the job: what listens to it goes with the file.
  const stopped = new AbortController()
  const stop = () => stopped.abort(signal.reason)
  signal.addEventListener('abort', stop)
  const sums = digester()
  let bytes = 0
  try {
    signal.throwIfAborted()
    const body = await client.get(place.url, place.token, { signal: stopped.signal })
    const handle = await open(target, 'w', 0o644)
    try {
      for await (const chunk of body) {
        sums.update(chunk)
        bytes += chunk.length
        await handle.write(chunk)
      }
    } finally {
      await handle.close()
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
  if (bytes !== Number(file.bytes))
    throw inputFailed(`${place.rse} gave ${bytes} bytes instead of ${file.bytes}.`)
  const expected = { ...(file.adler32 && { adler32: file.adler32 }), ...(file.md5 && { md5: file.md5 }) }
  checkDigests(expected, sums.done())
}

import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { eachOf } from '../../kernel/each.ts'
import { defineError } from '../../kernel/errors.ts'
import type { GridClient } from '../client/http.ts'
import { didText } from '../client/names.ts'
import type { ListedFile } from '../client/rucio.ts'
import { getFile } from '../client/storage.ts'
import type { Progress } from '../progress.ts'
import { digestFile } from './local-files.ts'

const noCopy = defineError('missing', 'no_copy')
const damaged = defineError('conflict', 'damaged_copy')
const unsafeName = defineError('invalid', 'unsafe_name')

export interface GetSummary {
  readonly files: number
  readonly bytes: number
  readonly fetched: number
  readonly present: number
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

/** Fetches files, each from its nearest copy; when a copy fails or is damaged, from the next one. */
export async function getFiles(
  client: GridClient,
  files: readonly ListedFile[],
  directory: string,
  progress: Progress,
  options: { concurrency?: number; signal?: AbortSignal } = {},
): Promise<GetSummary> {
  let fetched = 0
  let present = 0
  let bytes = 0
  const failures = await eachOf(files, options.concurrency ?? 6, async (file) => {
    if (options.signal?.aborted) throw options.signal.reason
    const target = localPath(directory, file.name)
    const size = Number(file.bytes ?? 0)
    if (await matches(target, file)) {
      present++
      progress.add(size, 1)
    } else {
      await fetchFile(client, file, target, progress, options.signal)
      fetched++
      progress.add(0, 1)
    }
    bytes += size
  })
  const failed = failures.map(({ item, error }) => ({
    name: didText(item),
    message: options.signal?.aborted ? 'interrupted' : error instanceof Error ? error.message : String(error),
  }))
  return { files: files.length, bytes, fetched, present, failed }
}

/** A name comes from the catalogue: it must stay below the directory. */
export function localPath(directory: string, name: string): string {
  const inside = normalize(name)
  if (inside.startsWith('..') || inside.startsWith('/') || inside.includes('\0'))
    throw unsafeName(`The name ${JSON.stringify(name)} would leave the directory ${directory}.`)
  return join(directory, inside)
}

async function fetchFile(
  client: GridClient,
  file: ListedFile,
  target: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const copies = Object.entries(file.pfns)
    .filter(([url]) => url.startsWith('http'))
    .sort(([, a], [, b]) => a.priority - b.priority)
  if (copies.length === 0)
    throw noCopy(`No storage offers a readable copy of ${didText(file)} at the moment.`)
  await mkdir(dirname(target), { recursive: true })
  const problems: string[] = []
  for (const [url, { rse }] of copies) {
    try {
      await fetchCopy(client, url, file, target, progress, signal)
      return
    } catch (error) {
      if (signal?.aborted) throw error
      problems.push(`${rse}: ${error instanceof Error ? error.message : String(error)}`)
      if (copies.length > problems.length)
        progress.say(`${didText(file)}: trying the next copy (${problems.at(-1)})`)
    }
  }
  throw noCopy(`${didText(file)} could not be fetched. ${problems.join(' ')}`)
}

async function fetchCopy(
  client: GridClient,
  url: string,
  file: ListedFile,
  target: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const part = `${target}.part`
  const wanted = Number(file.bytes ?? 0)
  const have = await sizeOf(part)
  if (have > wanted) await rm(part, { force: true })
  let from = have > wanted ? 0 : have
  let counted = 0
  const count = (more: number) => {
    counted += more
    progress.add(more)
  }
  try {
    if (from < wanted || wanted === 0) {
      const answer = await getFile(client, url, from, signal)
      if (answer.status === 200) from = 0
      count(from)
      const counting = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          count(chunk.length)
          yield chunk
        }
      }
      const sink = createWriteStream(part, { flags: from > 0 ? 'a' : 'w' })
      await pipeline(answer.body, counting, sink, signal ? { signal } : {})
    } else count(from)
    if (!(await matches(part, file))) {
      await rm(part, { force: true })
      throw damaged(`The copy at ${new URL(url).host} does not have the size and checksum of the catalogue.`)
    }
    await rename(part, target)
  } catch (error) {
    progress.add(-counted)
    throw error
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

async function matches(path: string, file: ListedFile): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined)
  if (!facts?.isFile() || (file.bytes !== null && facts.size !== Number(file.bytes))) return false
  const digests = await digestFile(path)
  if (file.adler32) return digests.adler32 === file.adler32
  return file.md5 ? digests.md5 === file.md5 : true
}

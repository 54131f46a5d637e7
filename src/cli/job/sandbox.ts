import { createWriteStream } from 'node:fs'
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { text as textIn } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { defineError } from '../../kernel/errors.ts'
import { packArchive, unpackArchive } from '../../storage/archive/archive.ts'
import { uploadForm } from '../../storage/archive/upload-form.ts'
import { failureOf } from '../client/failure.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { jobIds } from './ids.ts'

const noSandbox = defineError('missing', 'no_sandbox')

const SANDBOXES = '/diracx/api/jobs/sandbox'
/** What is unpacked at most: an archive is small, but may be written to grow. */
const MOST_BYTES = 10 * 2 ** 30

async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'kumi-sandbox-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Sends files and directories as one archive, unless the same one is there; answers its name. */
export const sendSandbox = (client: GridClient, paths: readonly string[]): Promise<string> =>
  inScratch(async (scratch) => {
    for (const path of paths) await lstat(path)
    const file = join(scratch, 'sandbox.tar.gz')
    const what = paths.map((path) => ({ directory: dirname(resolve(path)), name: basename(resolve(path)) }))
    const { sha256, bytes } = await packArchive(what, file)
    const { pfn, url, fields } = await client.json<{
      pfn: string
      url: string | null
      fields: Record<string, string>
    }>('POST', SANDBOXES, {
      json: { checksum_algorithm: 'sha256', checksum: sha256, size: bytes, format: 'tar.gz' },
    })
    if (url === null) return pfn
    const form = uploadForm(fields, file, bytes)
    const sent = await client.send('POST', url, {
      ...{ anonymous: true, headers: form.headers, body: Readable.from(form.body()) },
    })
    const said = await textIn(sent.body)
    if (sent.status >= 300) throw failureOf(sent.status, said, 'sending the sandbox')
    return pfn
  })

/** Fetches and unpacks the archive that a job sent back, or those that it was sent. */
export async function fetchSandbox(
  text: string,
  options: SharedOptions & { to: string; input?: boolean },
): Promise<void> {
  const [id] = jobIds([text])
  await withClient(options, async (client) => {
    const kind = options.input ? 'input' : 'output'
    const all = await client.json<(string | null)[]>('GET', `/diracx/api/jobs/${id}/sandbox/${kind}`)
    const pfns = all.filter((pfn) => pfn !== null)
    if (pfns.length === 0)
      throw noSandbox(
        options.input
          ? `Job ${id} was sent no archive.`
          : `Job ${id} sent nothing back (yet); name files with --send-back when you submit.`,
      )
    await mkdir(options.to, { recursive: true })
    for (const pfn of pfns) await unpackTo(client, pfn, options.to)
    show(options, { job: id, sandboxes: pfns, directory: options.to }, () => `Unpacked to ${options.to}.`)
  })
}

async function unpackTo(client: GridClient, pfn: string, directory: string): Promise<void> {
  await inScratch(async (scratch) => {
    const { url } = await client.json<{ url: string }>('GET', SANDBOXES, { query: { pfn } })
    const answer = await client.send('GET', url, { anonymous: true })
    if (answer.status !== 200)
      throw failureOf(answer.status, await textIn(answer.body), 'fetching the sandbox')
    const file = join(scratch, 'sandbox')
    await pipeline(answer.body, createWriteStream(file, { mode: 0o600 }))
    const format = /tar\.[a-z0-9]+$/.exec(pfn)?.[0] ?? ''
    const tar = ['tar', '--no-same-owner', '-xf', '-']
    await unpackArchive(file, format, { tar, directory, mostBytes: MOST_BYTES })
  })
}

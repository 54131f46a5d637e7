import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { defineError, isGridError } from '../../kernel/errors.ts'
import { entryLine } from '../../software/local/changes.ts'
import type { BegunLook } from '../../software/local/look.ts'
import {
  type Opened,
  type Proposed,
  type PublishDoor,
  type PublishOptions,
  type PublishReport,
  publishDirectory,
} from '../../software/local/publish.ts'
import { failureOf } from '../client/failure.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { type Progress, showProgress } from '../progress.ts'
import { bytesText, secondsText } from '../terminal.ts'
import { cacheDirectory } from './cache.ts'
import { decision, outcomeOf, refuseUnapproved, waits } from './proposals.ts'

const whichRepository = defineError('invalid', 'which_repository')
const base = '/kumi/v1/software'
/** Catalogues of millions of entries. */
const COMPOSING_MS = 3_600_000

export interface PublishCommand extends SharedOptions {
  readonly repo?: string
  readonly to?: string
  readonly tag?: string
  readonly description?: string
  readonly exclude?: ReadonlySet<string>
  readonly cache?: boolean
  readonly xattrs?: boolean
  /** Until what needs approval is decided. */
  readonly wait?: boolean
}

/** `kumi software publish DIR`: only what changed since last time is read, sent and written. */
export async function publish(directory: string, options: PublishCommand, look?: BegunLook): Promise<void> {
  const place = resolve(directory)
  let begun = look
  await publication(options, options.to, place, (publishing) => {
    const first = begun
    begun = undefined
    return publishDirectory({
      ...publishing,
      ...{ directory: place, source: `${hostname()}:${place}`, begun: first },
      exclude: options.exclude,
      attributes: options.xattrs === true,
    })
  })
}

/**
 * One publication from beginning to report; `of` is what is published at that place again and again, for the note of
 * what was published last time.
 */
export async function publication(
  options: Omit<PublishCommand, 'exclude' | 'to' | 'xattrs'>,
  path: string | undefined,
  of: string,
  work: (publishing: Omit<PublishOptions, 'source'>) => Promise<PublishReport>,
): Promise<void> {
  const { signal, end } = interruption()
  const started = performance.now()
  let progress: Progress | undefined
  try {
    await withClient(options, async (client) => {
      const repository = options.repo ?? (await theOnlyRepository(client))
      const to = (path ?? '')
        .split('/')
        .filter(Boolean)
        .map((name) => `/${name}`)
        .join('')
      const noted = options.cache === false ? undefined : cacheFile(client, repository, to, of)
      const publishing = {
        ...{ to, signal, door: doorOf(client, repository, options, noted), cacheFile: noted },
        tag:
          options.tag === undefined
            ? undefined
            : { name: options.tag, description: options.description ?? '' },
        onFile(bytes: number) {
          progress ??= showProgress('publish', undefined, { quiet: options.quiet === true })
          progress.add(bytes, 1)
        },
      }
      const report = await work(publishing).catch((error) => {
        if (noted === undefined || !isGridError(error, 'software_objects_missing')) throw error
        // What was noted is of objects that were collected since.
        rmSync(noted, { force: true })
        return work(publishing)
      })
      progress?.done()
      const seconds = secondsText(performance.now() - started)
      const get = `kumi software get ${repository}${options.tag ? `@${options.tag}` : ''} DIRECTORY`
      const { proposal, unchanged } = report
      const what = `${proposal && !unchanged ? `Proposed for ${to || '/'}` : `Revision ${report.revision}`} of ${repository}`
      if (proposal && options.wait && !options.quiet)
        process.stderr.write(`Proposed; waiting for somebody else: kumi software approve ${proposal.id}\n`)
      const decided = proposal && options.wait ? await decision(client, proposal.id, signal) : undefined
      show(options, { repository, path: to, ...report, ...(decided && { decided }) }, () =>
        [
          unchanged
            ? `${to || '/'} of ${repository} is as it was: revision ${report.revision}, ${report.entries} entries, ${seconds}.`
            : `${what}: ${report.added} added, ${report.changed} changed, ${report.removed} removed; ${report.uploadedObjects} objects, ${bytesText(report.uploadedBytes)} sent, ${seconds}.`,
          ...(report.leftOut.length > 0 ? [`Left out (sockets and devices): ${some(report.leftOut)}`] : []),
          ...(report.unreadable.length > 0
            ? [
                `Not readable by everybody, so clients may not be able to read them: ${some(report.unreadable)}`,
              ]
            : []),
          ...(proposal && !decided ? [waits(proposal, unchanged ? `The tag ${options.tag}` : 'It')] : []),
          ...(decided ? [outcomeOf(decided)] : []),
          ...(proposal && decided?.state !== 'committed' ? [] : [`Fetch it: ${get}`]),
        ].join('\n'),
      )
      if (decided) refuseUnapproved(decided)
    })
  } finally {
    progress?.done()
    end()
  }
}

const some = (files: readonly string[]): string =>
  files.length > 3 ? `${files.slice(0, 3).join(', ')} and ${files.length - 3} more` : files.join(', ')

async function theOnlyRepository(client: GridClient): Promise<string> {
  const found = await client.json<{ repositories: { name: string; mirrorOf: unknown }[] }>(
    'GET',
    `${base}/repositories`,
  )
  // Nobody publishes in a mirror.
  const repositories = found.repositories.filter(({ mirrorOf }) => mirrorOf === null)
  if (repositories.length === 1) return repositories[0]!.name
  throw whichRepository(
    repositories.length === 0
      ? 'There is no repository yet.'
      : `Say which repository: ${repositories.map(({ name }) => `--repo ${name}`).join(' or ')}.`,
    { hint: 'Make one with: kumi software create koto.example.org' },
  )
}

/** Of one directory, or of images, at one place of one repository of one server. */
function cacheFile(client: GridClient, repository: string, to: string, of: string): string {
  const key = createHash('sha256').update(JSON.stringify([client.place.server, repository, to, of]))
  return join(cacheDirectory(), 'published', `${key.digest('hex').slice(0, 32)}.tsv`)
}

/** Forgets what was noted of another repository that had this name at this address. */
function forgetOthers(noted: string, madeAt: string): void {
  const mark = `${noted}.of`
  if (existsSync(mark) && readFileSync(mark, 'utf8') === madeAt) return
  rmSync(noted, { force: true })
  mkdirSync(dirname(mark), { recursive: true })
  writeFileSync(mark, madeAt)
}

function doorOf(
  client: GridClient,
  repository: string,
  options: PublishCommand,
  noted: string | undefined,
): PublishDoor {
  const of = (id: string) => `${base}/publications/${id}`
  const sent = async (method: string, path: string, call: Parameters<GridClient['send']>[2]) => {
    const answer = await client.send(method, client.place.server + path, call)
    const said = await text(answer.body)
    if (answer.status >= 300) throw failureOf(answer.status, said, `${method} ${path}`)
    return JSON.parse(said)
  }
  return {
    async open(path, source) {
      const opened = await client.json<Opened & { madeAt: string }>('POST', `${base}/publications`, {
        json: { repository, path, source },
      })
      if (noted) forgetOthers(noted, opened.madeAt)
      return opened
    },
    content: (id) => ({
      async known(plains) {
        const answer = await client.json<{ known: { plain: string; hash: string }[] }>(
          'POST',
          `${of(id)}/known`,
          {
            json: { plains },
          },
        )
        return new Map(answer.known.map(({ plain, hash }) => [plain, hash]))
      },
      upload: (pack) =>
        sent('PUT', `${of(id)}/objects`, {
          body: Buffer.from(pack.buffer, pack.byteOffset, pack.length),
          headers: { 'content-type': 'application/octet-stream' },
        }),
    }),
    commit: (id, lines, tag) =>
      sent('POST', `${of(id)}/commit`, {
        body: lines,
        query: { tag: tag?.name, description: tag?.description || undefined },
        headers: { 'content-type': 'application/x-ndjson' },
        patienceMs: COMPOSING_MS,
      }),
    async tag(revision, tag) {
      const path = `${base}/repositories/${repository}/tags`
      return (await client.json<{ proposal: Proposed }>('POST', path, { json: { ...tag, revision } }))
        .proposal
    },
    async cancel(id) {
      await client.json('DELETE', of(id))
    },
    async *published(root, path) {
      // Seldom needed, and the reader brings a database along.
      const { openRelease } = await import('./repository.ts')
      const { snapshot } = await openRelease(client, `${repository}@${root}`, options)
      try {
        for await (const entry of snapshot.walk(path)) yield { path: entry.path, line: entryLine(entry) }
      } catch (error) {
        if ((error as { code?: string }).code !== 'software_no_such_path') throw error
      }
    },
  }
}

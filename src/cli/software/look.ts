import type { Entry } from '../../software/format/entry.ts'
import { textOf } from '../../software/format/hash.ts'
import { besides, entryLine } from '../../software/local/changes.ts'
import { checkRepository } from '../../software/reader/check.ts'
import type { Snapshot } from '../../software/reader/repository.ts'
import { withClient } from '../client/http.ts'
import { interruption, show } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { type Progress, showProgress } from '../progress.ts'
import { printable, table } from '../terminal.ts'
import { openRelease, parseRelease, type ReadOptions } from './repository.ts'

const pathOf = (text: string): string =>
  text
    .split('/')
    .filter(Boolean)
    .map((name) => `/${name}`)
    .join('')

/** `kumi software ls REPO@TAG [PATH]`: what is in a directory of a tree, read from its verified catalogues. */
export async function list(release: string, path: string, options: ReadOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { snapshot } = await openRelease(client, release, options)
    const entry = await snapshot.entry(pathOf(path))
    const entries = entry.kind === 'directory' ? await snapshot.list(entry.path) : [entry]
    show(options, entries.map(lineOf), () =>
      table(entries, [
        { title: 'MODE', value: ({ kind, mode }) => `${LETTER[kind]}${permissions(mode)}` },
        { title: 'BYTES', right: true, value: ({ kind, size }) => (kind === 'file' ? size : '-') },
        {
          title: 'CHANGED',
          value: ({ mtime }) => new Date(mtime * 1000).toISOString().slice(0, 16).replace('T', ' '),
        },
        {
          title: 'NAME',
          value: ({ path: at, target }) =>
            `${at.slice(at.lastIndexOf('/') + 1)}${target === undefined ? '' : ` -> ${target}`}`,
        },
      ]),
    )
  })
}

const LETTER = {
  directory: 'd',
  file: '-',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  character: 'c',
  block: 'b',
} as const
const permissions = (mode: number): string =>
  [8, 7, 6, 5, 4, 3, 2, 1, 0].map((bit) => (mode & (1 << bit) ? 'rwx'[(8 - bit) % 3] : '-')).join('')

function lineOf({ path, kind, mode, mtime, size, target, content, chunks, links }: Entry) {
  return {
    ...{ path, kind, mode: mode.toString(8).padStart(4, '0'), mtime, size, target },
    hash: content && textOf(content),
    chunks: chunks?.map(({ hash }) => textOf(hash)),
    links: links?.count,
  }
}

/** `kumi software diff REPO@A B`: which paths differ between two trees. */
export async function diff(release: string, other: string, options: ReadOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { repository, snapshot } = await openRelease(client, release, options)
    const lines: { path: string; what: keyof typeof SIGN }[] = []
    const counts = { added: 0, changed: 0, removed: 0 }
    const after = linesOf(await repository.snapshot(parseRelease(`@${other}`).of))
    for await (const [was, is] of besides(linesOf(snapshot), after)) {
      if (was?.line === is?.line) continue
      const what = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'
      counts[what]++
      lines.push({ path: (was ?? is)!.path, what })
    }
    show(options, { ...counts, paths: lines }, () =>
      lines.length === 0
        ? 'The two trees are the same.'
        : lines.map(({ path, what }) => `${SIGN[what]} ${printable(path || '/')}`).join('\n'),
    )
  })
}

const SIGN = { added: '+', removed: '-', changed: '~' } as const

async function* linesOf(snapshot: Snapshot): AsyncGenerator<{ path: string; line: string }> {
  for await (const entry of snapshot.walk()) yield { path: entry.path, line: entryLine(entry) }
}

/** `kumi software check REPO@TAG`: reads and compares everything. */
export async function check(release: string, options: ReadOptions & { data?: boolean }): Promise<void> {
  const { signal, end } = interruption()
  let progress: Progress | undefined
  try {
    await withClient(options, async (client) => {
      const { repository, snapshot, fetch, stream } = await openRelease(client, release, options)
      const report = await checkRepository(repository, snapshot, {
        ...{ fetch, stream, signal },
        data: options.data !== false,
        onPlan: ({ objects, bytes }) => {
          progress = showProgress('check', { files: objects, bytes }, { quiet: options.quiet === true })
        },
        onObject: (bytes) => progress?.add(bytes, 1),
      })
      progress?.done()
      show(options, report, () =>
        [
          ...report.problems,
          `${report.catalogs} catalogues, ${report.entries} entries, ${report.objects} objects${options.data === false ? ' (not read)' : ''}: ${report.problems.length === 0 ? 'no problems' : `${report.problems.length} problems`}. The whitelist ends at ${repository.whitelist.expiresAt.toISOString()}.`,
        ].join('\n'),
      )
      if (report.problems.length > 0) throw partial(`${report.problems.length} problems were found.`)
    })
  } finally {
    progress?.done()
    end()
  }
}

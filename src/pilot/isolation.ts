import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A tree that a payload sees as the repository it is from. */
export interface Mounted {
  readonly repository: string
  readonly tree: string
}

/** How payloads are kept apart from the pilot and the machine. */
export type Isolation = 'bubblewrap' | 'plain'

/** Read-only parts of the machine that programs need; those that are missing are left out. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/opt', '/sys/devices/system/cpu']
/** Of /etc what programs read; nothing that is secret. */
const SETTINGS =
  'passwd group hosts resolv.conf nsswitch.conf ssl pki ca-certificates ld.so.cache ld.so.conf ld.so.conf.d localtime alternatives protocols services'.split(
    ' ',
  )
/** Where payloads find Node.js, wherever it is on the machine. */
const NODE = '/kumi/node'
const VISIBLE = [...SYSTEM, ...SETTINGS.map((name) => `/etc/${name}`)]

/**
 * The command that runs a payload in `directory` (`/job` inside) so that it sees the system read-only, a /tmp of its
 * own, no other process and nothing of the pilot; it dies with the pilot. The network stays: jobs read conditions and data.
 */
export function isolated(
  isolation: Isolation,
  directory: string,
  command: readonly string[],
  deathSignal: boolean,
  software?: Mounted,
): {
  readonly command: readonly string[]
  /** The directory as the payload sees it. */
  readonly inside: string
  /** The Node.js that runs the pilot, as the payload sees it. */
  readonly node: string
} {
  if (isolation === 'plain') {
    const prefix = deathSignal ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
    return { command: [...prefix, ...command], inside: directory, node: process.execPath }
  }
  const binds = VISIBLE.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', path, path])
  const mounted = software
    ? [...othersMounted(software), '--ro-bind', software.tree, `/cvmfs/${software.repository}`]
    : existsSync('/cvmfs')
      ? ['--ro-bind', '/cvmfs', '/cvmfs']
      : []
  const root = process.getuid?.() === 0 ? ['--uid', '65534', '--gid', '65534'] : []
  const flags = ['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try']
  return {
    command: [
      ...[
        'bwrap',
        ...binds,
        ...mounted,
        '--ro-bind',
        process.execPath,
        NODE,
        '--proc',
        '/proc',
        '--dev',
        '/dev',
        '--tmpfs',
        '/tmp',
      ],
      ...['--bind', directory, '/job', '--chdir', '/job', ...flags, ...root],
      ...['--die-with-parent', '--new-session', '--', ...command],
    ],
    inside: '/job',
    node: NODE,
  }
}

/** One by one, because nothing can be added to what is bound as a whole. */
function othersMounted({ repository }: Mounted): string[] {
  if (!existsSync('/cvmfs')) return []
  return readdirSync('/cvmfs')
    .filter((name) => name !== repository)
    .flatMap((name) => ['--ro-bind-try', `/cvmfs/${name}`, `/cvmfs/${name}`])
}

/** What works here, found out once by trying. */
export async function probeIsolation(): Promise<{ isolation: Isolation; deathSignal: boolean }> {
  const works = async (command: readonly string[]) => {
    try {
      await run(command[0]!, command.slice(1), { timeout: 10_000 })
      return true
    } catch {
      return false
    }
  }
  const bubblewrap = await works(isolated('bubblewrap', '/tmp', ['true'], false).command)
  const deathSignal = await works(['setpriv', '--pdeathsig', 'KILL', '--', 'true'])
  return { isolation: bubblewrap ? 'bubblewrap' : 'plain', deathSignal }
}

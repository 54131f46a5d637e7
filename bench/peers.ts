import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FileSet } from './file-set.ts'

/** Another way to copy a set of files from one directory of this machine to another, over an encrypted connection. */
export interface Peer {
  readonly name: string
  copy(set: FileSet, to: string): Promise<void>
}

export interface Peers {
  readonly peers: readonly Peer[]
  /** Why others are missing. */
  readonly skipped: readonly string[]
  stop(): Promise<void>
}

export interface PeerOptions {
  /** For configurations, keys and logs. */
  readonly directory: string
  /** Everything below it may be served. */
  readonly root: string
  /** The certificate, its key and the authority that the gateways of the same run use. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  /** Two free ports. */
  readonly ports: readonly [web: number, ssh: number]
}

/** Files or connections at once, as for our own transfers on a link that has warmed up. */
const LANES = 8

/** Starts a web server and an ssh server of its own on loopback and offers what can be measured with them. */
export async function startPeers(options: PeerOptions): Promise<Peers> {
  const peers: Peer[] = []
  const skipped: string[] = []
  const stops: (() => Promise<void>)[] = []
  const missing = (...programs: string[]) => programs.filter((name) => !program(name))
  const lacks = (peer: string, names: string[]) =>
    skipped.push(`${peer}: ${names.join(', ')} is not installed`)
  mkdirSync(options.directory, { recursive: true })

  if (missing('nginx').length > 0) {
    lacks('curl from nginx', missing('nginx', 'curl'))
    lacks('rclone from nginx', missing('nginx', 'rclone'))
  } else {
    stops.push(await startNginx(options))
    if (program('curl')) peers.push(curlFromNginx(options), checkedAfterwards(curlFromNginx(options)))
    else lacks('curl from nginx', ['curl'])
    if (program('rclone')) peers.push(rcloneFromNginx(options))
    else lacks('rclone from nginx', ['rclone'])
  }
  const ssh = missing('sshd', 'ssh-keygen', 'scp')
  if (ssh.length > 0) lacks('scp', ssh)
  else {
    const { stop, peer } = await startSsh(options)
    stops.push(stop)
    peers.push(peer)
  }
  return {
    peers,
    skipped,
    async stop() {
      for (const stop of stops) await stop()
    },
  }
}

/** The absolute path of an installed program; system programs count although users may not have them in their path. */
export function program(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']) {
    try {
      accessSync(join(directory, name), constants.X_OK)
      return join(directory, name)
    } catch {
      // not here
    }
  }
  return undefined
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(program(command) ?? command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`)
}

/** Starts a server in the foreground; the returned function ends it. */
async function serve(
  command: string,
  args: readonly string[],
  ready: () => Promise<boolean>,
): Promise<() => Promise<void>> {
  const child = spawn(program(command)!, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  const gone = once(child, 'exit')
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`${command} does not start: ${said}`)
    await delay(20)
  }
  return async () => {
    child.kill('SIGTERM')
    await gone
  }
}

/** What we do with every file, done by hand: sums of what arrived, and everything on the disk. */
function checkedAfterwards({ name, copy }: Peer): Peer {
  const check = 'find "$1" -type f -print0 | xargs -0 -n 32 -P 8 md5sum >"$1.md5" && sync -f "$1"'
  return {
    name: `${name}, md5sum, sync`,
    async copy(set, to) {
      await copy(set, to)
      await run('sh', ['-c', check, 'sh', to])
    },
  }
}

function startNginx({ directory, root, tls, ports: [port] }: PeerOptions): Promise<() => Promise<void>> {
  const file = join(directory, 'nginx.conf')
  const user = process.getuid?.() === 0 ? `user ${userInfo().username};\n` : ''
  writeFileSync(
    file,
    `${user}daemon off;
pid ${directory}/nginx.pid;
error_log ${directory}/nginx.log;
worker_processes auto;
events { worker_connections 256; }
http {
  access_log off;
  sendfile on;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${tls.cert};
    ssl_certificate_key ${tls.key};
    location / { root ${root}; autoindex on; }
  }
}
`,
  )
  const ca = readFileSync(tls.ca)
  const ready = () =>
    new Promise<boolean>((resolve) => {
      const asked = request({ host: 'localhost', port, ca, agent: false, family: 4 }, (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      })
      asked.on('error', () => resolve(false))
      asked.end()
    })
  return serve('nginx', ['-c', file, '-e', join(directory, 'nginx.log')], ready)
}

const urlOf = ({ root, ports: [port] }: PeerOptions, set: FileSet): string =>
  `https://localhost:${port}${set.directory.slice(root.length)}`

const curlFromNginx = (options: PeerOptions): Peer => ({
  name: 'curl from nginx',
  async copy(set, to) {
    const list = join(options.directory, 'curl.list')
    const base = urlOf(options, set)
    writeFileSync(
      list,
      set.names.map((name) => `url = "${base}/${name}"\noutput = "${join(to, name)}"\n`).join(''),
    )
    const lanes = set.names.length > 1 ? ['--parallel', '--parallel-max', String(LANES)] : []
    await run('curl', ['-sS', '-4', '--fail', '--cacert', options.tls.ca, ...lanes, '-K', list])
  },
})

const rcloneFromNginx = (options: PeerOptions): Peer => ({
  name: 'rclone from nginx',
  async copy(set, to) {
    const trust = ['--config', '/dev/null', '--ca-cert', options.tls.ca]
    const how = ['--transfers', String(LANES), '--http-url', urlOf(options, set)]
    await run('rclone', ['copy', ...trust, ...how, ':http:', to])
  },
})

async function startSsh({ directory, ports: [, port] }: PeerOptions) {
  const [hostKey, key] = [join(directory, 'host-key'), join(directory, 'key')]
  for (const file of [hostKey, key])
    execFileSync(program('ssh-keygen')!, ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  const file = join(directory, 'sshd.conf')
  writeFileSync(
    file,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKey}
PidFile ${directory}/sshd.pid
AuthorizedKeysFile ${key}.pub
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
Subsystem sftp internal-sftp
`,
  )
  // Not for sessions, which do without; but the program refuses to start when it is not there.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const ready = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(() => resolve(true)))
      socket.on('error', () => resolve(false))
    })
  const stop = await serve('sshd', ['-D', '-e', '-f', file], ready)
  const trust = ['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${directory}/known`]
  const peer: Peer = {
    name: 'scp',
    copy: (set, to) =>
      run('scp', [
        '-q',
        '-r',
        '-P',
        String(port),
        '-i',
        key,
        '-F',
        'none',
        ...trust,
        `127.0.0.1:${set.directory}/.`,
        to,
      ]),
  }
  return { stop, peer }
}

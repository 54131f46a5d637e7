import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { clusterAway, clusterFailed, hostKeyUnknown, loginRefused } from './errors.ts'

export interface SshPlace {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Fingerprint of the host's key, as `ssh-keygen -l` prints it. */
  readonly hostKey: string
  /** Of this place alone: holds the host's key that was accepted. */
  readonly directory: string
  /** The private key to log in with. */
  readonly identity: string
}

export interface Ssh {
  /** What a command wrote. Throws clusterAway, hostKeyUnknown, loginRefused, and RemoteError for a command that failed. */
  run(command: string, input?: Buffer | Readable): Promise<string>
  /** Ends the connection; the next command opens another. */
  close(): Promise<void>
}

/** A command ended with something else than 0. */
export class RemoteError extends Error {
  readonly code: number
  constructor(code: number, said: string) {
    super(said.trim().slice(-1000) || `It ended with ${code}.`)
    this.code = code
  }
}

const COMMAND_MS = 120_000
/** OpenSSH ends with this when the trouble is its own, not the command's. */
const OWN_TROUBLE = 255
const SAID_MOST = 64 << 10
const HEARD_MOST = 64 << 20

/**
 * OpenSSH's client with one connection that all commands share. Nothing of the account it runs in is used: no agent, no
 * configuration, no known hosts; the host must have the key that was named.
 */
export function openSsh(place: SshPlace): Ssh {
  const knownHosts = join(place.directory, 'known_hosts')
  const address = `${place.user}@${place.host}`
  const directory = controlDirectory(place)
  const control = join(directory, 's')
  const options = [
    ...['-F', 'none', '-p', String(place.port), '-i', place.identity],
    ...Object.entries({
      BatchMode: 'yes',
      StrictHostKeyChecking: 'yes',
      UserKnownHostsFile: `"${knownHosts}"`,
      GlobalKnownHostsFile: '/dev/null',
      CheckHostIP: 'no',
      IdentitiesOnly: 'yes',
      IdentityAgent: 'none',
      PreferredAuthentications: 'publickey',
      ForwardAgent: 'no',
      ClearAllForwardings: 'yes',
      ConnectTimeout: '10',
      ServerAliveInterval: '10',
      ServerAliveCountMax: '3',
      ControlMaster: 'auto',
      ControlPath: `"${control}"`,
      ControlPersist: '60',
      LogLevel: 'ERROR',
    }).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
  ]

  async function knowHost(): Promise<void> {
    if (existsSync(knownHosts) && fingerprintsIn(readFileSync(knownHosts, 'utf8')).has(place.hostKey)) return
    const keys = await hostKeys(place)
    const line = keys.get(place.hostKey)
    if (!line) {
      const found = [...keys.keys()].join(' or ')
      throw hostKeyUnknown(
        place.hostKey
          ? `${place.host} has the key ${found}, not ${place.hostKey}: another machine answers, or its key was changed. Ask whoever runs it.`
          : `${place.host} has the key ${found}. Compare it with what its people publish, then give it as --host-key.`,
        { found: [...keys.keys()] },
      )
    }
    mkdirSync(place.directory, { recursive: true, mode: 0o700 })
    writeFileSync(knownHosts, `${line}\n`)
  }

  return {
    async run(command, input = Buffer.alloc(0)) {
      await knowHost()
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      if (!isOwn(directory))
        throw clusterFailed(`${directory} is not a directory of this account alone; remove it.`)
      const { code, out, said } = await execute('ssh', [...options, '--', address, command], input)
      if (code === 0) return out
      if (code === OWN_TROUBLE) throw troubleOf(said, place)
      throw new RemoteError(code, said)
    },
    async close() {
      if (!isOwn(directory)) return
      if (existsSync(control))
        await execute('ssh', [...options, '-O', 'exit', '--', address]).catch(() => undefined)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function troubleOf(said: string, { user, host, port }: SshPlace): Error {
  const where = port === 22 ? host : `${host}:${port}`
  const text = said.trim().split('\n').at(-1) ?? ''
  if (/host key|HOST IDENTIFICATION/i.test(said))
    return hostKeyUnknown(
      `${where} does not have the key that was accepted: another machine answers. (${text})`,
    )
  if (/permission denied|too many authentication failures/i.test(said))
    return loginRefused(
      `${where} does not let this gateway log in as ${user}. Put the gateway's key into ${user}'s ~/.ssh/authorized_keys there.`,
    )
  return clusterAway(`${where} cannot be reached: ${text || 'the connection was lost'}.`)
}

/** Keys that a host offers now, by fingerprint. */
async function hostKeys({ host, port }: SshPlace): Promise<Map<string, string>> {
  const { out, said } = await execute('ssh-keyscan', ['-T', '10', '-p', String(port), '--', host])
  const keys = fingerprintsIn(out)
  if (keys.size > 0) return keys
  const text = said.split('\n').find((line) => line.trim() && !line.startsWith('#')) ?? 'no answer'
  throw clusterAway(`${host}:${port} cannot be reached: ${text.trim()}.`)
}

/** Lines of known hosts by the fingerprints of their keys. */
function fingerprintsIn(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() && !line.startsWith('#'))
  return new Map(lines.map((line) => [fingerprintOf(line.split(' ')[2] ?? ''), line]))
}

const fingerprintOf = (key: string): string =>
  `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`

/** The key this gateway logs in with, made when there is none; the public part. */
export async function ownKey(identity: string, comment: string): Promise<string> {
  if (!existsSync(identity)) {
    const { code, said } = await execute('ssh-keygen', [
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-C',
      comment,
      '-f',
      identity,
    ])
    if (code !== 0) throw clusterFailed(`No key could be made: ${said.trim()}`)
  }
  return readFileSync(`${identity}.pub`, 'utf8').trim()
}

/** What makes a connection another one. */
export const connectionOf = ({
  user,
  host,
  port,
  hostKey,
}: Omit<SshPlace, 'directory' | 'identity'>): string => `${user}@${host}:${port} ${hostKey}`

/** Names of sockets are short, so it cannot lie where the gateway keeps its files. */
export function controlDirectory(place: SshPlace): string {
  const name = createHash('sha256').update(`${place.directory}\0${connectionOf(place)}`)
  return join(tmpdir(), `kumi-ssh-${name.digest('hex').slice(0, 16)}`)
}

/** Nobody else may have made it, or may put anything else in its place. */
function isOwn(path: string): boolean {
  const { uid, mode } = lstatSync(path, { throwIfNoEntry: false }) ?? { uid: -1, mode: 0 }
  return uid === process.getuid?.() && (mode & 0o170777) === 0o040700
}

async function execute(
  program: string,
  words: readonly string[],
  input: Buffer | Readable = Buffer.alloc(0),
): Promise<{ code: number; out: string; said: string }> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] })
  const [out, said] = [collected(child.stdout, HEARD_MOST), collected(child.stderr, SAID_MOST)]
  const late = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS)
  // A command that ends early does not read the rest; how it ended says more than that.
  const fed = pipeline(input instanceof Readable ? input : Readable.from([input]), child.stdin).catch(
    () => undefined,
  )
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => resolve(status ?? OWN_TROUBLE))
    })
    await fed
    return { code, out: out(), said: said() }
  } catch (error) {
    throw clusterFailed(
      `${program} cannot be run at the gateway: ${(error as Error).message}. Install OpenSSH's client.`,
    )
  } finally {
    clearTimeout(late)
  }
}

function collected(stream: Readable, most: number): () => string {
  const parts: Buffer[] = []
  let size = 0
  stream.on('data', (part: Buffer) => {
    size += part.length
    if (size <= most) parts.push(part)
  })
  return () => Buffer.concat(parts).toString()
}

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, closeSync, existsSync, openSync } from 'node:fs'
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  chooseAccount,
  type PostgresAccount,
  postgresCommand,
  postgresFailed,
  takeOver,
} from './postgres-account.ts'

const run = promisify(execFile)
const USER = 'kumi'
const DATABASE = 'kumi'

export interface EmbeddedPostgres {
  readonly connection: { host: string; port: number; user: string; database: string }
  readonly pid: number
  /** Resolves with the exit code when the server ends for whatever reason. */
  readonly ended: Promise<number>
  /** Fast shutdown: open transactions are rolled back, nothing committed is lost. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Directory of its own; `data/`, `log` and the socket live below it. */
  readonly directory: string
  /** Trades durability for speed; for tests only. */
  readonly forTests?: boolean
}

/**
 * Starts PostgreSQL from the npm-distributed binaries on a unix socket in a private directory, creating the
 * cluster on first use. Adopts a server that is still running there (its parent was killed).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true, mode: 0o711 })
  const data = join(directory, 'data')
  const socketDirectory = await chooseSocketDirectory(directory)
  const connection = { host: socketDirectory, port: 5432, user: USER, database: DATABASE }

  const adopted = await adopt(data, connection)
  if (adopted) return adopted

  const account = await chooseAccount(directory)
  if (existsSync(join(data, 'PG_VERSION'))) await takeOver(account, data)
  else await initialise(account, directory, data)
  await takeOver(account, socketDirectory)

  const deadline = Date.now() + 15_000
  for (;;) {
    const server = launch(account, directory, data, socketDirectory, options.forTests ?? false)
    const started = await waitUntilReady(server, connection, deadline)
    if (started) {
      await createDatabase(connection)
      return {
        connection,
        pid: server.child.pid!,
        ended: server.ended,
        stop: async () => {
          if (server.child.exitCode === null) server.child.kill('SIGINT')
          await server.ended
        },
      }
    }
    // A predecessor killed with -9 may have children that still hold the shared memory for a moment.
    if (Date.now() > deadline) throw postgresFailed(await lastWords(directory))
    await delay(200)
  }
}

async function initialise(account: PostgresAccount, directory: string, data: string): Promise<void> {
  const fresh = `${data}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  await takeOver(account, fresh)
  const [file, args] = postgresCommand(account, 'initdb', [
    ...['-D', fresh, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
  ])
  try {
    await run(file, args, { cwd: directory, ...account.as })
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: string | number }
    // The program is there, but not the loader it names: a system with another C library.
    const words =
      code === 'ENOENT' && existsSync(file)
        ? 'the PostgreSQL that comes with kumi needs a Linux with glibc. Set DATABASE_URL to a PostgreSQL server instead.'
        : (stderr?.trim() ?? String(error))
    throw postgresFailed(`initdb failed: ${words}`, {}, error)
  }
  // Renaming makes the cluster appear whole or not at all, whatever kills us in between.
  const { rename } = await import('node:fs/promises')
  await rename(fresh, data)
}

interface Server {
  readonly child: ChildProcess
  readonly ended: Promise<number>
}

function settings(forTests: boolean): string[] {
  const sharedBuffers = Math.min(2048, Math.max(32, Math.floor(totalmem() / 1024 / 1024 / 128)))
  const durable = { wal_compression: 'pglz', max_wal_size: '4GB', shared_buffers: `${sharedBuffers}MB` }
  const volatile = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    shared_buffers: '64MB',
  }
  const all = {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    max_connections: forTests ? '200' : '100',
    random_page_cost: '1.1',
    jit: 'off',
    // A bulk load is planned for soon after: statistics of a minute ago would be of empty tables.
    autovacuum_naptime: '15s',
    log_min_messages: 'warning',
    ...(forTests ? volatile : durable),
  }
  return Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])
}

function launch(
  account: PostgresAccount,
  directory: string,
  data: string,
  socket: string,
  forTests: boolean,
): Server {
  const logFile = join(directory, 'postgres.log')
  const log = openSync(logFile, 'a', 0o600)
  const [file, args] = postgresCommand(account, 'postgres', ['-D', data, '-k', socket, ...settings(forTests)])
  if (account.owner !== undefined) {
    chownSync(logFile, account.owner, account.owner)
    chmodSync(directory, 0o711)
  }
  const child = spawn(file, args, {
    cwd: directory,
    stdio: ['ignore', log, log],
    // Its own group: a Ctrl-C at the terminal reaches only kumi, which then stops PostgreSQL last.
    detached: true,
    ...account.as,
  })
  closeSync(log)
  const ended = new Promise<number>((settle) => {
    child.once('exit', (code) => settle(code ?? 1))
    child.once('error', () => settle(1))
  })
  return { child, ended }
}

async function probe(connection: EmbeddedPostgres['connection'], database = 'postgres'): Promise<boolean> {
  const client = new pg.Client({ ...connection, database, connectionTimeoutMillis: 2000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function waitUntilReady(
  server: Server,
  connection: EmbeddedPostgres['connection'],
  deadline: number,
): Promise<boolean> {
  let over = false
  void server.ended.then(() => {
    over = true
  })
  while (!over && Date.now() < deadline) {
    if (await probe(connection)) return !over
    await delay(50)
  }
  return false
}

async function createDatabase(connection: EmbeddedPostgres['connection']): Promise<void> {
  if (await probe(connection, connection.database)) return
  const client = new pg.Client({ ...connection, database: 'postgres' })
  await client.connect()
  try {
    await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

async function adopt(
  data: string,
  connection: EmbeddedPostgres['connection'],
): Promise<EmbeddedPostgres | undefined> {
  if (!(await probe(connection))) return undefined
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
  await createDatabase(connection)
  const alive = () => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
  const ended = (async () => {
    while (alive()) await delay(500, undefined, { ref: false })
    return 0
  })()
  return {
    connection,
    pid,
    ended,
    stop: async () => {
      process.kill(pid, 'SIGINT')
      while (alive()) await delay(50)
    },
  }
}

/** Unix socket paths are limited to about 107 bytes; a deep home gets a short directory elsewhere. */
async function chooseSocketDirectory(directory: string): Promise<string> {
  if (Buffer.byteLength(directory) < 85) return directory
  const short = join(tmpdir(), `kumi-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`)
  await mkdir(short, { recursive: true, mode: 0o711 })
  await writeFile(join(directory, 'socket-directory'), short)
  return short
}

/** Removes what lies outside the directory (the short socket directory); for `kumi down --purge`. */
export async function purgeEmbeddedPostgres(directory: string): Promise<void> {
  const marker = join(directory, 'socket-directory')
  const short = await readFile(marker, 'utf8').catch(() => undefined)
  if (short) await rm(short, { recursive: true, force: true })
}

async function lastWords(directory: string): Promise<string> {
  const file = join(directory, 'postgres.log')
  await access(file).catch(() => undefined)
  const text = await readFile(file, 'utf8').catch(() => '')
  return `PostgreSQL did not start. The end of ${file}:\n${text.split('\n').slice(-8).join('\n')}`
}

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../kernel/embedded-postgres.ts'
import { defineError } from '../kernel/errors.ts'
import { type GridFacts, type Home, writeWhole } from './home.ts'
import { requirePorts, vomsPortOf } from './ports.ts'
import { isAlive, processTree, residentBytes } from './processes.ts'

const alreadyRunning = defineError('conflict', 'already_running')
const didNotStart = defineError('fatal', 'did_not_start')

const SERVER = 'server'
/** A child that dies again and again is restarted at most this often. */
const RESTART_MS = [500, 1000, 2000, 5000, 10_000]
const STABLE_MS = 30_000
/** What dies is seen at once; this is for what hangs, and a busy machine needs its time. */
const READY_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_MS = 15_000

interface Part {
  readonly name: string
  readonly start: () => ChildProcess
  child: ChildProcess | undefined
  startedAt: number
  crashes: number
  restarts: number
  held: boolean
}

export interface PartStatus {
  readonly name: string
  readonly pid: number | undefined
  readonly restarts: number
}

export interface Supervisor {
  readonly facts: GridFacts
  /** PostgreSQL, the server and every gateway, as they run now. */
  parts(): PartStatus[]
  /** Kills one part with -9; it comes back by itself after `backAfterMs`. */
  kill(name: string, backAfterMs?: number): Promise<void>
  /** Resident bytes of everything the grid runs, this process included. */
  residentBytes(): number
  /** Gateways first, then the server, PostgreSQL last. */
  stop(): Promise<void>
}

export interface SuperviseOptions {
  readonly home: Home
  readonly facts: GridFacts
  /** Directory of the compiled program (`dist/src`). */
  readonly program: string
  readonly onNews?: (text: string) => void
}

/** Starts everything a home needs, waits until it is ready, and keeps it alive until `stop`. */
export async function supervise(options: SuperviseOptions): Promise<Supervisor> {
  const { home, facts, program } = options
  const news = options.onNews ?? (() => undefined)
  const pidFile = join(home.run, 'supervisor.pid')
  claimHome(pidFile, home)

  let stopping = false
  let postgres: EmbeddedPostgres | undefined
  let postgresRestarts = 0
  const parts: Part[] = []

  const startPostgres = async (): Promise<void> => {
    if (process.env.DATABASE_URL) return
    postgres = await startEmbeddedPostgres({ directory: home.postgres })
    const started = postgres
    void started.ended.then(async () => {
      if (stopping || postgres !== started) return
      news('PostgreSQL ended unexpectedly; starting it again')
      postgresRestarts++
      for (let attempt = 0; !stopping; attempt++) {
        try {
          return await startPostgres()
        } catch (error) {
          news(`PostgreSQL does not start: ${(error as Error).message}`)
          await delay(RESTART_MS[Math.min(attempt, RESTART_MS.length - 1)]!)
        }
      }
    })
  }

  const launch = (part: Part): void => {
    part.startedAt = Date.now()
    const child = part.start()
    part.child = child
    child.once('exit', (code, signal) => {
      if (part.child === child) part.child = undefined
      if (stopping || part.held) return
      part.crashes = Date.now() - part.startedAt > STABLE_MS ? 1 : part.crashes + 1
      part.restarts++
      const wait = RESTART_MS[Math.min(part.crashes - 1, RESTART_MS.length - 1)]!
      news(`${part.name} ended (${signal ?? `code ${code}`}); starting it again in ${wait / 1000} s`)
      setTimeout(() => !stopping && !part.held && !part.child && launch(part), wait).unref()
    })
  }

  try {
    await requirePorts(
      [facts.port, vomsPortOf(facts.port), ...facts.sites.map((site) => site.port)],
      home.path,
    )
    await startPostgres()
    const nodeOptions = (megabytes: number) => [
      '--disable-warning=ExperimentalWarning',
      `--max-old-space-size=${megabytes}`,
    ]
    parts.push(
      part(SERVER, () =>
        startProgram(home, SERVER, [
          ...nodeOptions(1024),
          join(program, 'main.js'),
          'server',
          '--home',
          home.path,
        ]),
      ),
    )
    for (const site of facts.sites) {
      const config = join(home.sites, site.name, 'gateway.json')
      parts.push(
        part(`gateway-${site.name}`, () =>
          startProgram(home, `gateway-${site.name}`, [
            ...[...nodeOptions(256), '--max-semi-space-size=4'],
            ...[join(program, 'pop', 'main.js'), '--config', config],
          ]),
        ),
      )
    }
    launch(parts[0]!)
    await ready(`http://127.0.0.1:${facts.port}/readyz`, parts[0]!, home)
    for (const gateway of parts.slice(1)) launch(gateway)
    await Promise.all(parts.slice(1).map((gateway, i) => listening(facts.sites[i]!.port, gateway, home)))
  } catch (error) {
    stopping = true
    await stopAll(parts)
    await postgres?.stop()
    rmSync(pidFile, { force: true })
    throw error
  }

  return {
    facts,
    parts: () => [
      ...(postgres ? [{ name: 'postgres', pid: postgres.pid, restarts: postgresRestarts }] : []),
      ...parts.map(({ name, child, restarts }) => ({ name, pid: child?.pid, restarts })),
    ],
    async kill(name, backAfterMs = 0) {
      if (name === 'postgres') {
        if (postgres) process.kill(postgres.pid, 'SIGKILL')
        return
      }
      const target = parts.find((p) => p.name === name)
      const child = target?.child
      if (!target || !child) return
      target.held = true
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      setTimeout(() => {
        target.held = false
        if (!stopping && !target.child) {
          target.restarts++
          launch(target)
        }
      }, backAfterMs)
    },
    residentBytes: () =>
      residentBytes(
        processTree([process.pid, ...(postgres && !isChild(postgres.pid) ? [postgres.pid] : [])]),
      ),
    async stop() {
      if (stopping) return
      stopping = true
      await stopAll(parts)
      await postgres?.stop()
      rmSync(pidFile, { force: true })
    },
  }
}

function isChild(pid: number): boolean {
  return processTree([process.pid]).includes(pid)
}

function part(name: string, start: () => ChildProcess): Part {
  return { name, start, child: undefined, startedAt: 0, crashes: 0, restarts: 0, held: false }
}

function claimHome(pidFile: string, home: Home): void {
  const owner = readPid(pidFile)
  if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
    throw alreadyRunning(
      `The grid in ${home.path} is already running (pid ${owner}). Stop it with: kumi down --home ${home.path}`,
    )
  }
  writeWhole(pidFile, String(process.pid))
}

export function readPid(pidFile: string): number | undefined {
  try {
    return Number(readFileSync(pidFile, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

function startProgram(home: Home, name: string, args: string[]): ChildProcess {
  const log = openSync(join(home.logs, `${name}.out`), 'a', 0o600)
  // glibc gives each thread an arena of its own and keeps what was freed in it: a third of a server's memory.
  const env = { MALLOC_ARENA_MAX: '2', ...process.env }
  // The ipc channel is a lifeline: its end tells the child that the supervisor is gone. Its own group keeps a
  // Ctrl-C for us, so that everything stops in order.
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', log, log, 'ipc'], detached: true })
  closeSync(log)
  return child
}

async function ready(url: string, part: Part, home: Home): Promise<void> {
  await until(part, home, async () => (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok)
}

async function listening(port: number, part: Part, home: Home): Promise<void> {
  const { connect } = await import('node:net')
  await until(
    part,
    home,
    () =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy()
          resolve(true)
        })
        socket.once('error', () => resolve(false))
      }),
  )
}

async function until(part: Part, home: Home, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (await check().catch(() => false)) return
    if (part.restarts > 2) break
    await delay(50)
  }
  const file = join(home.logs, `${part.name}.out`)
  const tail = readFileSync(file, 'utf8').trim().split('\n').slice(-12).join('\n')
  throw didNotStart(`${part.name} did not become ready. The end of ${file}:\n${tail}`)
}

async function stopAll(parts: readonly Part[]): Promise<void> {
  // Server last: gateways report their end to it.
  const gateways = parts.filter((p) => p.name !== SERVER)
  await Promise.all(gateways.map(stopPart))
  await Promise.all(parts.filter((p) => p.name === SERVER).map(stopPart))
}

async function stopPart(part: Part): Promise<void> {
  const child = part.child
  part.held = true
  if (!child || child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await gone
  clearTimeout(late)
}

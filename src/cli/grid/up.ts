import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  defaultHome,
  type GridFacts,
  type Home,
  homeAt,
  isAlive,
  prepareHome,
  readPid,
  supervise,
} from '../../embedded/index.ts'
import { defineError } from '../../kernel/errors.ts'
import { adminToken, oneTimeLink } from './login.ts'
import { programDirectory } from './program-directory.ts'

const badPort = defineError('invalid', 'bad_port')
const didNotStart = defineError('fatal', 'did_not_start')

export interface UpOptions {
  home?: string
  port?: string
  detach?: boolean
  empty?: boolean
  json?: boolean
}

export function portOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1024 || port > 65000) {
    throw badPort(`--port needs a number from 1024 to 65000, got "${text}".`)
  }
  return port
}

export async function up(options: UpOptions): Promise<void> {
  const home = homeAt(options.home ?? defaultHome())
  if (options.detach) return detach(home, options)
  const port = portOption(options.port)
  const facts = await prepareHome(home, { ...(port && { port }), empty: options.empty ?? false }, new Date())
  const grid = await supervise({
    home,
    facts,
    program: programDirectory,
    onNews: (text) => console.error(text),
  })
  await announce(home, facts, options.json ?? false)
  process.send?.('ready')
  await interrupted()
  if (!options.json) console.error('Stopping …')
  await grid.stop()
  process.exit(0)
}

/** Resolves at Ctrl-C, SIGTERM or hang-up. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
  })
}

async function announce(home: Home, facts: GridFacts, json: boolean): Promise<void> {
  const login = { client: home.client, port: facts.port, vo: facts.vo }
  const link = await oneTimeLink(login, await adminToken(login))
  if (json) {
    console.log(JSON.stringify({ home: home.path, port: facts.port, vo: facts.vo, console: link }))
    return
  }
  console.log(`The grid is up.
  console   ${link}   (logs in once)
  home      ${home.path}
  commands  eval "$(kumi env --home ${home.path})"; kumi site ls
  stop      kumi down --home ${home.path}`)
}

async function detach(home: Home, options: UpOptions): Promise<void> {
  const running = readPid(join(home.run, 'supervisor.pid'))
  if (running !== undefined && isAlive(running)) {
    throw didNotStart(`The grid in ${home.path} is already running (pid ${running}).`)
  }
  const port = portOption(options.port)
  const facts = await prepareHome(home, { ...(port && { port }), empty: options.empty ?? false }, new Date())
  const logFile = join(home.logs, 'supervisor.out')
  const log = openSync(logFile, 'w', 0o600)
  const args = [join(programDirectory, 'cli', 'main.js'), 'up', '--home', home.path]
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log, 'ipc'] })
  closeSync(log)
  const outcome = await Promise.race([
    new Promise<string>((resolve) => child.once('message', (message) => resolve(String(message)))),
    new Promise<string>((resolve) => child.once('exit', () => resolve('ended'))),
    delay(90_000, 'late', { ref: false }),
  ])
  if (outcome !== 'ready')
    throw didNotStart(`The grid did not start:\n${readFileSync(logFile, 'utf8').trim()}`)
  child.disconnect()
  child.unref()
  await announce(home, facts, options.json ?? false)
}

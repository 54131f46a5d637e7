import { createServer, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { defineError } from '../kernel/errors.ts'

const portTaken = defineError('conflict', 'port_taken')

export const DEFAULT_PORT = 7450
/**
 * A grid takes the ports from its own on: the server's, one per demo site, one for VOMS. Blocks begin at multiples of
 * this; the last port of a block is its guard.
 */
export const BLOCK = 10
export const vomsPortOf = (gridPort: number): number => gridPort + BLOCK - 2
const HIGHEST_PORT = 60_000
/** Another start that looks at the same ports is through with it after this long. */
const LOOK_MS = 1000
/** What a supervisor that was killed leaves behind ends by itself; so long a new start waits for its ports. */
const REMAINS_MS = 5000

const inRow = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i)
const guardOf = (port: number) => port - (port % BLOCK) + BLOCK - 1

function listenAt(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((connection) => connection.destroy()).unref()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server))
  })
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve))

/** Those where somebody listens; asked again until there are none or the time is over. */
async function taken(ports: readonly number[], patienceMs = 0): Promise<readonly number[]> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const busy: number[] = []
    for (const port of ports) {
      const probe = await listenAt(port)
      if (probe) await closed(probe)
      else busy.push(port)
    }
    if (busy.length === 0 || Date.now() >= deadline) return busy
    await delay(50)
  }
}

/**
 * First port of `count` free ones in a row: the wanted one, otherwise that of the next free block; throws port_taken.
 * A grid listens some seconds after its ports were chosen. Until then this process listens at the last port of the
 * block, which keeps other starts away from it and which the system frees whatever ends us.
 */
export async function choosePorts(count: number, wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    const own = inRow(wanted, count)
    // A guard that belongs to another program is no reason to refuse what was asked for.
    if (!own.includes(guardOf(wanted))) await listenAt(guardOf(wanted))
    if ((await taken(own, LOOK_MS)).length === 0) return wanted
    throw portTaken(
      `The ports ${wanted} to ${wanted + count - 1} are not all free. Choose others with --port, or leave it out to have free ones found.`,
    )
  }
  for (let first = DEFAULT_PORT; first < HIGHEST_PORT; first += BLOCK) {
    const guard = await listenAt(guardOf(first))
    if (!guard) continue
    if ((await taken(inRow(first, count))).length === 0) return first
    await closed(guard)
  }
  throw portTaken('No free ports were found.')
}

/** Throws port_taken unless the ports of a grid that is about to start are free. */
export async function requirePorts(
  ports: readonly number[],
  home: string,
  patienceMs = REMAINS_MS,
): Promise<void> {
  const busy = await taken(ports, patienceMs)
  if (busy.length === 0) return
  throw portTaken(
    `The grid in ${home} needs port ${busy.join(', ')}, where another program listens (another grid?). ` +
      'Stop that one first, or start a new grid in another --home.',
  )
}

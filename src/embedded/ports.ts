import { createServer } from 'node:net'
import { defineError } from '../kernel/errors.ts'

const portTaken = defineError('conflict', 'port_taken')

export const DEFAULT_PORT = 7450
/** A grid takes the ports from its own on: the server's, one per demo site, and the last one for VOMS. */
export const BLOCK = 10
export const vomsPortOf = (gridPort: number): number => gridPort + BLOCK - 1

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

async function blockIsFree(first: number, count: number): Promise<boolean> {
  for (let port = first; port < first + count; port++) if (!(await isFree(port))) return false
  return true
}

/** First port of `count` free ones in a row: the wanted one or an error; without a wish, the next free block. */
export async function choosePorts(count: number, wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    if (await blockIsFree(wanted, count)) return wanted
    throw portTaken(
      `The ports ${wanted} to ${wanted + count - 1} are not all free. Choose others with --port, or leave it out to have free ones found.`,
    )
  }
  for (let port = DEFAULT_PORT; port < 60000; port += BLOCK) if (await blockIsFree(port, count)) return port
  throw portTaken('No free ports were found.')
}

import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TlsOptions } from 'node:tls'

const TLS_HANDSHAKE = 0x16
const FIRST_BYTE_MS = 15_000
const LIMITS = {
  maxHeaderSize: 64 * 1024,
  keepAliveTimeout: 30_000,
  headersTimeout: 60_000,
  requestTimeout: 0,
}

/**
 * One listening port for TLS and plain HTTP: the first byte of a connection says which. What may be said in plain is
 * decided per request, not here.
 */
export function sniffingServer(handler: RequestListener, tls?: TlsOptions): Server {
  const server = createServer(LIMITS, handler)
  if (!tls) return server
  const secure = createTlsServer({ ...LIMITS, ...tls, minVersion: 'TLSv1.2' }, handler)
  const plainListeners = server.listeners('connection') as ((socket: Socket) => void)[]
  // Also those still in their handshake, which neither half knows as a connection yet.
  const open = new Set<Socket>()

  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const giveUp = () => socket.destroy()
    const settled = () => {
      socket.setTimeout(0)
      socket.off('timeout', giveUp)
      socket.off('error', giveUp)
    }
    socket.setTimeout(FIRST_BYTE_MS).on('timeout', giveUp).on('error', giveUp)
    socket.once('data', (first: Buffer) => {
      settled()
      socket.pause()
      socket.unshift(first)
      if (first[0] === TLS_HANDSHAKE) secure.emit('connection', socket)
      else for (const listener of plainListeners) listener.call(server, socket)
      process.nextTick(() => socket.resume())
    })
  })
  for (const event of ['clientError', 'upgrade', 'connect'] as const) {
    secure.on(event, (...args: unknown[]) => {
      if (!server.emit(event, ...args)) (args[1] as Socket).destroy()
    })
  }
  secure.on('tlsClientError', (_error, socket) => socket.destroy())
  // The TLS half never listens itself; its bookkeeping of connections starts and ends with the other's.
  server.on('listening', () => secure.emit('listening'))
  const { closeAllConnections, closeIdleConnections, close } = server
  server.closeAllConnections = () => {
    secure.closeAllConnections()
    closeAllConnections.call(server)
    for (const socket of open) socket.destroy()
  }
  server.closeIdleConnections = () => {
    secure.closeIdleConnections()
    closeIdleConnections.call(server)
  }
  server.close = (callback) => {
    secure.close(() => undefined)
    return close.call(server, callback) as Server
  }
  return server
}

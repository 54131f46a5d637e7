import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import {
  type AttributeAuthority,
  CLIENT_CERTIFICATE_OPTIONS,
  type ClientCertificates,
  certificateRefused,
} from '../../identity/index.ts'
import { type GridError, type Logger, toGridError } from '../../kernel/index.ts'
import { attributesAnswer, type Dialect, errorAnswer } from './answers.ts'
import { requestOfDocument, requestOfTarget } from './requests.ts'
import { readRequest, type Said } from './wire.ts'

export interface VomsServerOptions {
  readonly authority: AttributeAuthority
  readonly certificates: ClientCertificates
  readonly log: Logger
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer }
  /** For the handshake, the request and the answer each; ten seconds unless given. */
  readonly deadlineMs?: number
}

export interface VomsServer {
  listen(): Promise<{ port: number }>
  close(): Promise<void>
}

const DEADLINE_MS = 10_000
const MOST_CONNECTIONS = 500
/** Its whole User-Agent; it understands errors in a form of its own only. */
const CPP_CLIENT = 'voms APIs 2.0'

/**
 * The port where the clients of VOMS get attribute certificates: one request a connection, over HTTP or in the older
 * protocol, by whoever proves to have the key of a certificate.
 */
export function vomsServer(options: VomsServerOptions): VomsServer {
  const { log, deadlineMs = DEADLINE_MS } = options
  const open = new Set<TLSSocket>()
  const server: Server = createServer({
    ...options.tls,
    minVersion: 'TLSv1.2',
    ...CLIENT_CERTIFICATE_OPTIONS,
    handshakeTimeout: deadlineMs,
  })
  server.maxConnections = MOST_CONNECTIONS
  server.on('tlsClientError', (error, socket) => {
    log.debug({ err: error, peer: socket.remoteAddress }, 'voms handshake failed')
    socket.destroy()
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
    void serve(socket, options, deadlineMs).catch((error) => {
      log.error({ err: error }, 'voms request failed')
      socket.destroy()
    })
  })
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(options.port, options.host, () => {
          server.off('error', reject)
          resolve({ port: (server.address() as AddressInfo).port })
        })
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

async function serve(socket: TLSSocket, options: VomsServerOptions, deadlineMs: number): Promise<void> {
  const began = performance.now()
  let said: Said | undefined
  let answer: string
  let failure: GridError | undefined
  try {
    said = await readRequest(socket, AbortSignal.timeout(deadlineMs))
    if (!said) return void socket.destroy()
    answer = attributesAnswer(dialectOf(said), await issued(socket, said, options))
  } catch (error) {
    if (socket.destroyed) return
    failure = toGridError(error)
    if (failure.kind === 'fatal') options.log.error({ err: error }, 'voms request failed')
    answer = errorAnswer(dialectOf(said), failure)
  }
  socket.setTimeout(deadlineMs, () => socket.destroy())
  socket.end(answer)
  // Unread bytes at the end would reset the connection before the client has its answer.
  socket.resume()
  const ms = Math.round((performance.now() - began) * 10) / 10
  options.log.debug(
    { peer: socket.remoteAddress, dialect: said?.dialect, code: failure?.code, ms },
    'voms request',
  )
}

async function issued(socket: TLSSocket, said: Said, { certificates, authority }: VomsServerOptions) {
  const request = said.dialect === 'legacy' ? requestOfDocument(said.document) : requestOfTarget(said.target)
  const chain = await certificates.of(socket)
  if (!chain) throw certificateRefused('Show a certificate: attributes are given to its owner only.')
  return authority.issue(chain, request)
}

function dialectOf(said: Said | undefined): Dialect {
  if (said?.dialect === 'legacy') return 'legacy'
  return said?.userAgent === CPP_CLIENT ? 'cpp' : 'java'
}

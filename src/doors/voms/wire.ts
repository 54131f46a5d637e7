import type { TLSSocket } from 'node:tls'
import { defineError } from '../../kernel/errors.ts'

export const badRequest = defineError('invalid', 'bad_request')

/** What a client said, before anybody understood it. */
export type Said =
  | { readonly dialect: 'rest'; readonly target: string; readonly userAgent: string }
  /** The document of the protocol that is older than the one over HTTP. */
  | { readonly dialect: 'legacy'; readonly document: string }

const MOST_BYTES = 8 * 1024
/** "No delegation" of GSI: the C++ client sends it before anything else, in a TLS record of its own. */
const NO_DELEGATION = 0x30
const LESS_THAN = 0x3c
const END_OF_DOCUMENT = '</voms>'

/**
 * Reads one request: HTTP GET with lines that end in CRLF or a bare LF, or a bare XML document. Throws bad_request when
 * it is anything else or longer than 8 KiB, and undefined when the client leaves before it is complete.
 */
export async function readRequest(socket: TLSSocket, signal: AbortSignal): Promise<Said | undefined> {
  let bytes = Buffer.alloc(0)
  for await (const chunk of until(socket, signal)) {
    bytes = Buffer.concat([bytes, chunk])
    if (bytes.length > MOST_BYTES) throw badRequest(`The request is longer than ${MOST_BYTES} bytes.`)
    const said = complete(bytes[0] === NO_DELEGATION ? bytes.subarray(1) : bytes)
    if (said) return said
  }
  return undefined
}

/** The chunks that come before the signal; the socket stays open for the answer. */
async function* until(socket: TLSSocket, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = () => socket.destroy()
  signal.addEventListener('abort', stop)
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) yield chunk as Buffer
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** The request if all of it is there. */
export function complete(bytes: Buffer): Said | undefined {
  const text = bytes.toString('latin1')
  if (bytes[0] === LESS_THAN) {
    return text.includes(END_OF_DOCUMENT) ? { dialect: 'legacy', document: text } : undefined
  }
  if (!'GET '.startsWith(text.slice(0, 4))) throw badRequest('Only GET is spoken here.')
  const end = /\r?\n\r?\n/.exec(text)
  return end ? httpRequest(text.slice(0, end.index)) : undefined
}

function httpRequest(head: string): Said {
  const [first = '', ...lines] = head.split(/\r?\n/)
  const [, target] = /^GET (\/[\x21-\x7e]*) HTTP\/1\.[01]$/.exec(first) ?? []
  if (!target) throw badRequest('The first line is no request of HTTP/1.0 or 1.1.')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value = ''] = /^([A-Za-z0-9-]+):[ \t]*([\x20-\x7e\t\x80-\xff]*)$/.exec(line) ?? []
    if (!name) throw badRequest('A header line is malformed.')
    headers.set(name.toLowerCase(), value.trim())
  }
  if (headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) !== 0) {
    throw badRequest('A GET has no body.')
  }
  return { dialect: 'rest', target, userAgent: headers.get('user-agent') ?? '' }
}

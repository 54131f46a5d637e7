import type { IncomingMessage, ServerResponse } from 'node:http'

/** Bytes that nobody wants any more are thrown away for so long. */
const LINGER_MS = 15_000

const invited = new WeakSet<IncomingMessage>()
const asksFirst = (request: IncomingMessage): boolean => /100-continue/i.test(request.headers.expect ?? '')

/**
 * The body of a request. A client that asked first (`Expect: 100-continue`) is told to send it when it is going to be
 * read. Who stops reading early leaves the connection open, so that the client can be told why.
 */
export function bodyOf(request: IncomingMessage, response: ServerResponse): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]() {
      if (asksFirst(request) && !invited.has(request)) {
        invited.add(request)
        response.writeContinue()
      }
      return request.iterator({ destroyOnReturn: false })
    },
  }
}

/** Ends an exchange with a short answer, also while the client is still sending. */
export function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number> = {},
  body = '',
): void {
  const { req } = response
  const length = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length']) > 0
  const unread = hasBody && !req.complete
  // An unread body would be taken for the next request.
  response.writeHead(status, { ...length, ...headers, ...(unread && { connection: 'close' }) })
  if (unread && (!asksFirst(req) || invited.has(req))) linger(response, body)
  else response.end(req.method === 'HEAD' ? undefined : body)
}

/** Closing at once would reset the connection: who sends would see that, and never read the answer. */
function linger(response: ServerResponse, body: string): void {
  const { req } = response
  if (body) response.write(body)
  else response.flushHeaders()
  const timer = setTimeout(() => response.end(), LINGER_MS)
  const done = (): void => {
    clearTimeout(timer)
    response.end()
  }
  req.once('end', done).once('close', done).resume()
}

export function json(response: ServerResponse, value: unknown): void {
  end(
    response,
    200,
    { 'content-type': 'application/json', 'cache-control': 'max-age=300' },
    JSON.stringify(value),
  )
}

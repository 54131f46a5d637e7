export class DoorError extends Error {
  readonly status: number
  /** The stable name of what is wrong, where the door says it. */
  readonly code: string | undefined
  constructor(status: number, message: string, code?: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The error of an answer; each kind of door has a form of its own. */
function errorIn(text: string, status: number): DoorError {
  try {
    const body = JSON.parse(text) as Record<string, unknown>
    const texts = [body.ExceptionMessage, body.message, body.error_description, body.detail, body.error]
    const message = texts.find((one) => typeof one === 'string') ?? `HTTP ${status}`
    return new DoorError(status, String(message), typeof body.code === 'string' ? body.code : undefined)
  } catch {
    return new DoorError(status, text.slice(0, 300) || `HTTP ${status}`)
  }
}

/** Pages at which a visitor without a session is no surprise. */
const ENTRANCE = /^\/iam\/[^/]+\/(session|interaction)(\/|$)/

export async function call(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const answer = await fetch(path, {
    method,
    credentials: 'same-origin',
    headers: {
      ...(method !== 'GET' && { 'x-kumi-console': '1' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  if (answer.ok) return answer
  const text = await answer.text()
  if (answer.status === 401 && !ENTRANCE.test(path) && /[Aa]uth|token|session|log/.test(text + path)) {
    window.dispatchEvent(new Event('kumi:logged-out'))
  }
  throw errorIn(text, answer.status)
}

export const getJson = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await (await call('GET', path, undefined, signal)).json()) as T

/** Lines of a streamed list, at most `most`; the rest of the stream is not read. */
export async function getLines<T>(
  path: string,
  most = 1000,
  signal?: AbortSignal,
): Promise<{ lines: T[]; more: boolean }> {
  const answer = await call('GET', path, undefined, signal)
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  const lines: T[] = []
  if (!reader) return { lines, more: false }
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    rest += value ?? ''
    const parts = rest.split('\n')
    rest = done ? '' : (parts.pop() ?? '')
    for (const part of parts) if (part.trim()) lines.push(JSON.parse(part) as T)
    if (lines.length > most) {
      await reader.cancel()
      return { lines: lines.slice(0, most), more: true }
    }
    if (done) return { lines, more: false }
  }
}

export const segment = (text: string) => encodeURIComponent(text)

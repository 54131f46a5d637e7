export class DoorError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const saidWhat = (text: string, status: number): string => {
  try {
    const body = JSON.parse(text) as {
      ExceptionMessage?: string
      message?: string
      error_description?: string
      detail?: string
      error?: string
    }
    const { ExceptionMessage, message, error_description, detail, error } = body
    return ExceptionMessage ?? message ?? error_description ?? detail ?? error ?? `HTTP ${status}`
  } catch {
    return text.slice(0, 300) || `HTTP ${status}`
  }
}

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
  if (answer.status === 401 && !path.startsWith('/iam/') && /[Aa]uth|token|session|log/.test(text + path)) {
    window.dispatchEvent(new Event('kumi:logged-out'))
  }
  throw new DoorError(answer.status, saidWhat(text, answer.status))
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

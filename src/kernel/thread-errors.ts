import { parentPort } from 'node:worker_threads'
import { type ErrorKind, GridError, toGridError } from './errors.ts'

/** An error as it travels between threads. */
export interface PlainError {
  readonly code: string
  readonly kind: ErrorKind
  readonly message: string
  readonly stack?: string | undefined
}

export function fromPlain({ code, kind, message, stack }: PlainError): GridError {
  const error = new GridError({ code, kind, message })
  if (stack) error.stack = stack
  return error
}

/** The loop of a thread: one job after the other; `ask` gets something from the one who started the thread. */
export function serveJobs<Job, Question = never>(
  work: (
    job: Job,
    ask: (question: Question) => Promise<unknown>,
  ) => Promise<{ result: unknown; transfer?: ArrayBuffer[] }>,
): void {
  const port = parentPort!
  const answers: { resolve(given: unknown): void; reject(error: Error): void }[] = []
  const ask = (question: Question) =>
    new Promise<unknown>((resolve, reject) => {
      answers.push({ resolve, reject })
      port.postMessage({ asks: question })
    })
  port.on('message', (message: Job | { given: unknown } | { refused: PlainError }) => {
    if (typeof message === 'object' && message !== null) {
      if ('given' in message) return answers.shift()?.resolve(message.given)
      if ('refused' in message) return answers.shift()?.reject(fromPlain(message.refused))
    }
    void work(message as Job, ask).then(
      ({ result, transfer = [] }) => port.postMessage({ result }, transfer),
      (error) => {
        const { code, kind, message: words } = toGridError(error)
        const known = error instanceof GridError ? words : String((error as Error)?.message ?? error)
        port.postMessage({ error: { code, kind, message: known, stack: (error as Error)?.stack } })
      },
    )
  })
}

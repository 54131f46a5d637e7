import { availableParallelism } from 'node:os'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { toGridError } from './errors.ts'
import { fromPlain, type PlainError } from './thread-errors.ts'

/** Threads of one program; each does one job at a time. */
export interface Threads<Job, Result> {
  run(job: Job, options?: RunOptions): Promise<Result>
  close(): Promise<void>
}

export interface RunOptions {
  readonly transfer?: readonly ArrayBuffer[]
  /** Answers what the job asks for while it runs. */
  readonly answer?: (question: never) => Promise<unknown>
}

interface Waiting<Job> extends RunOptions {
  readonly job: Job
  resolve(result: never): void
  reject(error: unknown): void
}

type Answer = { readonly result: never } | { readonly error: PlainError } | { readonly asks: unknown }

export interface ThreadOptions {
  readonly most?: number
  readonly resourceLimits?: ResourceLimits
  /** A job that takes longer is given up, and its thread with it. */
  readonly deadlineMs?: number
}

/**
 * Starts threads of the module `name` beside `from` when they are first needed. They hold nobody up who wants to end.
 * Errors of ours keep their code and kind on the way.
 */
export function createThreads<Job, Result>(
  from: string,
  name: string,
  { most = Math.max(2, availableParallelism()), resourceLimits, deadlineMs }: ThreadOptions = {},
): Threads<Job, Result> {
  // From the sources as well as compiled.
  const program = new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from)
  const idle: Worker[] = []
  const all = new Map<Worker, Waiting<Job> | undefined>()
  const queue: Waiting<Job>[] = []
  let closed = false

  function start(): Worker {
    const thread = new Worker(program, { ...(resourceLimits && { resourceLimits }) })
    thread.unref()
    all.set(thread, undefined)
    thread.on('message', (message: Answer) => {
      if ('asks' in message) {
        void all.get(thread)!.answer!(message.asks as never).then(
          (given) => thread.postMessage({ given }),
          (error) => {
            const { code, kind, message } = toGridError(error)
            thread.postMessage({ refused: { code, kind, message } satisfies PlainError })
          },
        )
        return
      }
      const waiting = all.get(thread)
      all.set(thread, undefined)
      idle.push(thread)
      next()
      if ('error' in message) waiting?.reject(fromPlain(message.error))
      else waiting?.resolve(message.result)
    })
    const gone = (error: unknown) => {
      const waiting = all.get(thread)
      all.delete(thread)
      waiting?.reject(error)
      if (!closed) next()
    }
    thread.on('error', gone)
    thread.on('exit', () => gone(new Error('A thread ended before its work.')))
    return thread
  }
  function endAfter(thread: Worker, waiting: Waiting<Job>, deadline: number): void {
    setTimeout(() => {
      if (all.get(thread) === waiting) void thread.terminate()
    }, deadline).unref()
  }
  function next(): void {
    while (queue.length > 0) {
      const thread = idle.pop() ?? (all.size < most ? start() : undefined)
      if (!thread) return
      const waiting = queue.shift()!
      all.set(thread, waiting)
      if (deadlineMs !== undefined) endAfter(thread, waiting, deadlineMs)
      thread.postMessage(waiting.job, [...(waiting.transfer ?? [])])
    }
  }
  return {
    run: (job, options) =>
      new Promise<Result>((resolve, reject) => {
        if (closed) throw new Error('These threads have ended.')
        queue.push({ job, ...options, resolve, reject })
        next()
      }),
    async close() {
      closed = true
      for (const waiting of queue.splice(0)) waiting.reject(new Error('These threads have ended.'))
      await Promise.all([...all.keys()].map((thread) => thread.terminate()))
    },
  }
}

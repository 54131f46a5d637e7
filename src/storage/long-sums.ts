import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { adler32Hex } from '../kernel/adler32.ts'
import { adler32Module, engine, PAGE_BYTES } from '../kernel/adler32-module.ts'
import type { Digests } from './digests.ts'
import { storageFailed } from './errors.ts'
import { type SumRequest, type Sums, type SumThreadData, sumThread } from './sum-thread.ts'

/** Bytes summed and written at once. */
export const PIECE_BYTES = 1 << 20
/** Places for pieces; whoever finds none free waits, and so does the sender of his bytes. */
const PLACES = 8

/** The sums of one file. */
export interface LongSum {
  /**
   * Gathers pieces, together at most PIECE_BYTES, in one place as soon as one is free, and lets `use` have them while
   * they are summed. Resolves when that has begun; `finished` when both are done.
   */
  pass(
    pieces: readonly Uint8Array[],
    use: (whole: Uint8Array) => Promise<void>,
  ): Promise<{ readonly finished: Promise<void> }>
  /** The sums of all that was passed; must be called also when nobody wants them any more. */
  end(): Promise<Digests>
}

export interface LongSums {
  begin(): LongSum
  /** Ends the threads; sums under way fail. */
  close(): Promise<void>
}

interface Thread {
  files: number
  ask(request: SumRequest): Promise<Sums | undefined>
  close(): Promise<void>
}

/** Threads that sum long files. They start when first needed and hold up nobody who wants to end. */
export function createLongSums(most = Math.min(4, Math.max(1, availableParallelism() - 1))): LongSums {
  const pages = (PLACES * PIECE_BYTES) / PAGE_BYTES
  const memory = new engine.Memory({ initial: pages, maximum: pages, shared: true })
  const threads: Thread[] = []
  // The lowest place first: memory that is never used costs nothing.
  const free = Array.from({ length: PLACES }, (_, i) => i * PIECE_BYTES)
  const waiting: ((address: number) => void)[] = []
  let files = 0

  function thread(): Thread {
    const idle = threads.find((one) => one.files === 0)
    if (idle) return idle
    if (threads.length >= most) return threads.reduce((a, b) => (b.files < a.files ? b : a))
    const started = startThread(memory, () => threads.splice(threads.indexOf(started), 1))
    threads.push(started)
    return started
  }
  function take(): number | Promise<number> {
    return free.shift() ?? new Promise((resolve) => waiting.push(resolve))
  }
  function release(address: number): void {
    const next = waiting.shift()
    if (next) next(address)
    else {
      free.push(address)
      free.sort((a, b) => a - b)
    }
  }

  return {
    begin() {
      const mine = thread()
      const file = files++
      mine.files++
      return {
        async pass(pieces, use) {
          const address = await take()
          let length = 0
          const place = new Uint8Array(memory.buffer, address, PIECE_BYTES)
          for (const piece of pieces) {
            place.set(piece, length)
            length += piece.length
          }
          const both = [mine.ask({ file, address, length }), use(place.subarray(0, length))]
          // Neither may still look at the place when it is given to the next.
          const finished = Promise.allSettled(both).then((ended) => {
            release(address)
            for (const one of ended) if (one.status === 'rejected') throw one.reason
          })
          return { finished }
        },
        async end() {
          mine.files--
          const sums = await mine.ask({ file, end: true })
          return { adler32: adler32Hex(sums!.adler32), md5: sums!.md5 }
        },
      }
    },
    async close() {
      await Promise.all(threads.map((one) => one.close()))
    },
  }
}

function startThread(memory: object, gone: () => void): Thread {
  const program = `(${sumThread})(require('node:crypto'), require('node:worker_threads'), WebAssembly)`
  const workerData: SumThreadData = { memory, adler32Module: adler32Module! }
  const resourceLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 }
  const worker = new Worker(program, { eval: true, name: 'sums', execArgv: [], resourceLimits, workerData })
  worker.unref()
  const asked: { resolve: (sums: Sums | undefined) => void; reject: (error: Error) => void }[] = []
  let ended: Error | undefined
  const end = (cause?: unknown): void => {
    if (ended) return
    ended = storageFailed('The thread that sums files ended.', { class: 'transient' }, cause)
    gone()
    for (const { reject } of asked.splice(0)) reject(ended)
  }
  worker.on('message', (sums?: Sums) => {
    asked.shift()?.resolve(sums)
    if (asked.length === 0) worker.unref()
  })
  worker.on('error', end)
  worker.on('exit', () => end())
  return {
    files: 0,
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended)
        // Only somebody who waits keeps the process alive.
        if (asked.push({ resolve, reject }) === 1) worker.ref()
        worker.postMessage(request)
      }),
    async close() {
      await worker.terminate()
    },
  }
}

import type * as crypto from 'node:crypto'
import type * as threads from 'node:worker_threads'
import type { Adler32At } from '../kernel/adler32-module.ts'

/** What a thread needs at its start. */
export interface SumThreadData {
  readonly memory: object
  readonly adler32Module: object
}

/** Answered one by one, in the order they were sent. */
export type SumRequest =
  | { readonly file: number; readonly address: number; readonly length: number }
  /** Answered with the sums; the file is forgotten. */
  | { readonly file: number; readonly end: true }

/** A number in the module's form and a hexadecimal text. */
export interface Sums {
  readonly adler32: number
  readonly md5: string
}

/**
 * Sums files, piece by piece, in a memory it shares with those who ask. This is the whole program of a thread: it is
 * handed over as text, so that it runs from sources as it does compiled, and may refer to nothing outside itself.
 */
export function sumThread(
  { createHash }: Pick<typeof crypto, 'createHash'>,
  { parentPort, workerData }: Pick<typeof threads, 'parentPort' | 'workerData'>,
  engine: {
    Instance: new (
      module: object,
      imports: { host: { memory: object } },
    ) => { exports: { adler32: Adler32At } }
  },
): void {
  const { memory, adler32Module } = workerData as SumThreadData
  const { adler32 } = new engine.Instance(adler32Module, { host: { memory } }).exports
  const { buffer } = memory as { buffer: SharedArrayBuffer }
  const files = new Map<number, { sum: number; md5: crypto.Hash }>()
  parentPort?.on('message', (asked: SumRequest) => {
    const known = files.get(asked.file) ?? { sum: 1, md5: createHash('md5') }
    if ('end' in asked) {
      files.delete(asked.file)
      parentPort.postMessage({ adler32: known.sum >>> 0, md5: known.md5.digest('hex') } satisfies Sums)
      return
    }
    known.sum = adler32(asked.address, asked.length, known.sum)
    known.md5.update(new Uint8Array(buffer, asked.address, asked.length))
    files.set(asked.file, known)
    parentPort.postMessage(undefined)
  })
}

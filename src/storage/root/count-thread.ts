import { FileProxy, openFile } from 'jsroot/io'
import { defineError } from '../../kernel/errors.ts'
import { serveJobs } from '../../kernel/thread-errors.ts'
import { treesOf } from './trees.ts'

const notRoot = defineError('invalid', 'not_root')

export interface CountJob {
  readonly bytes: number
}

export interface Piece {
  readonly from: number
  readonly bytes: number
}

/** Headers and trees are small; a file that asks for more is none of a kind that we count. */
const MOST_READ = 256 << 20
const MAGIC_BYTES = 4

/** A file that somebody else reads piece by piece. */
class FarFile extends FileProxy {
  readonly #job: CountJob
  readonly #ask: (piece: Piece) => Promise<Uint8Array>
  // Answers come in the order of the questions, so there is one at a time.
  #last: Promise<unknown> = Promise.resolve()
  #left = MOST_READ

  constructor(job: CountJob, ask: (piece: Piece) => Promise<Uint8Array>) {
    super()
    this.#job = job
    this.#ask = ask
  }
  override async openFile(): Promise<boolean> {
    const magic = await this.readBuffer(0, MAGIC_BYTES)
    return magic !== null && magic.getUint32(0) === 0x726f6f74
  }
  override getFileName(): string {
    return 'file.root'
  }
  override getFileSize(): number {
    return this.#job.bytes
  }
  override readBuffer(from: number, size: number): Promise<DataView | null> {
    const bytes = Math.min(size, this.#job.bytes - from)
    this.#left -= bytes
    const wrong = !Number.isSafeInteger(from) || from < 0 || !(bytes > 0) || this.#left < 0
    const read = this.#last.then(async () => {
      if (wrong) return null
      const { buffer, byteOffset, byteLength } = await this.#ask({ from, bytes })
      return new DataView(buffer, byteOffset, byteLength)
    })
    this.#last = read.catch(() => undefined)
    return read
  }
}

// Broken files are an everyday matter here and end as an error that is told, not as lines of a log.
console.log = () => undefined
console.warn = () => undefined
console.error = () => undefined

serveJobs<CountJob, Piece>(async (job, ask) => {
  const file = await openFile(new FarFile(job, async (piece) => (await ask(piece)) as Uint8Array))
  if (!file) throw notRoot('it is no ROOT file')
  return { result: await treesOf(file) }
})

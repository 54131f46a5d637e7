import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** Lines on their way: what nobody has read yet is in memory, or, when that is much, in a file that no directory shows. */
export interface Spool {
  readonly lines: number
  add(line: string): void
  /** No more lines come. */
  end(): void
  /** All of them, once, from the first; while they still come, too. */
  read(): Readable
  /** Breaks off whoever still reads. */
  close(): void
}

const MOST_IN_MEMORY = 1 << 20
/** As much is read at once. */
const BLOCK = 1 << 16
/** A reader that would wait for longer gets an empty line: connections that nothing goes through are taken for dead. */
const PATIENCE_MS = 20_000

export function openSpool(directory = tmpdir()): Spool {
  let [waiting, lines, written] = ['', 0, 0]
  let file: number | undefined
  let [ended, closed] = [false, false]
  let wake = (): void => undefined
  function flush(): void {
    if (file === undefined) {
      const path = join(directory, `kumi-lines-${randomUUID()}`)
      file = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
    }
    const block = Buffer.from(waiting)
    for (let done = 0; done < block.length; )
      done += writeSync(file, block, done, block.length - done, written + done)
    written += block.length
    waiting = ''
  }
  /** Whether something happens soon. */
  async function more(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const something = await new Promise<boolean>((resolve) => {
      wake = () => resolve(true)
      timer = setTimeout(resolve, PATIENCE_MS, false)
    })
    clearTimeout(timer)
    return something
  }
  async function* blocks(): AsyncGenerator<Buffer> {
    for (let at = 0; ; ) {
      if (closed) throw new Error('Nobody finished these lines.')
      if (file !== undefined && at < written) {
        const block = Buffer.allocUnsafe(Math.min(BLOCK, written - at))
        const read = readSync(file, block, 0, block.length, at)
        at += read
        yield block.subarray(0, read)
      } else if (waiting.length >= BLOCK || (ended && waiting !== '')) {
        const block = Buffer.from(waiting)
        waiting = ''
        yield block
      } else if (ended) return
      else if (!(await more())) yield Buffer.from('\n')
    }
  }
  return {
    get lines() {
      return lines
    },
    add(line) {
      waiting += `${line}\n`
      lines++
      if (waiting.length >= MOST_IN_MEMORY) flush()
      if (waiting.length >= BLOCK || written > 0) wake()
    },
    end() {
      ended = true
      wake()
    },
    read: () => Readable.from(blocks(), { objectMode: false }),
    close() {
      if (closed) return
      closed = true
      wake()
      if (file !== undefined) closeSync(file)
    },
  }
}

import { randomUUID } from 'node:crypto'
import { closeSync, createReadStream, openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** Lines that are written first and read afterwards: a few in memory, many in a file that no directory shows. */
export interface Spool {
  readonly lines: number
  add(line: string): void
  /** All of them, once and at the end; whoever reads closes what he is given. */
  read(): Readable
  close(): void
}

const MOST_IN_MEMORY = 1 << 20

export function openSpool(directory = tmpdir()): Spool {
  let [waiting, lines] = ['', 0]
  let file: number | undefined
  let open = true
  function flush(): void {
    if (file === undefined) {
      const path = join(directory, `kumi-lines-${randomUUID()}`)
      file = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
    }
    const block = Buffer.from(waiting)
    for (let done = 0; done < block.length; ) done += writeSync(file, block, done)
    waiting = ''
  }
  return {
    get lines() {
      return lines
    },
    add(line) {
      waiting += `${line}\n`
      lines++
      if (waiting.length >= MOST_IN_MEMORY) flush()
    },
    read() {
      if (file === undefined) return Readable.from([Buffer.from(waiting)])
      flush()
      open = false
      return createReadStream('', { fd: file, start: 0 })
    },
    close() {
      if (open && file !== undefined) closeSync(file)
      open = false
    },
  }
}

import { closeSync, openSync, readSync } from 'node:fs'
import { badImage } from './errors.ts'

/** Bytes that lie in a file: a file of its own, or a part of an archive. */
export interface Bytes {
  readonly file: string
  readonly start: number
  readonly length: number
}

/** All of them at once; throws `software_bad_image` beyond `most`, and when the file is shorter. */
export function readBytes({ file, start, length }: Bytes, most: number, what: string): Buffer {
  if (length > most) throw badImage(`${what} has ${length} bytes; more than ${most} cannot be right.`)
  const handle = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(length)
    fill(handle, bytes, start, what)
    return bytes
  } finally {
    closeSync(handle)
  }
}

/** Fills a buffer from a place of an open file. */
export function fill(handle: number, bytes: Buffer, from: number, what: string): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(handle, bytes, done, bytes.length - done, from + done)
    if (read === 0) throw badImage(`${what} ends too early.`)
    done += read
  }
}

import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** A form (multipart/form-data, RFC 7578): fields first, then a file as the part `file`, as presigned uploads want it. */
export function uploadForm(
  fields: Readonly<Record<string, string>>,
  file: string,
  bytes: number,
): {
  readonly headers: Readonly<Record<string, string>>
  readonly body: () => AsyncGenerator<Uint8Array>
} {
  const boundary = `kumi-${randomUUID()}`
  const part = (name: string, more = '') =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`
  const head = Buffer.from(
    Object.entries(fields)
      .map(([name, value]) => `${part(name)}${value}\r\n`)
      .join('') + part('file', '; filename="file"'),
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + bytes + tail.length),
    },
    async *body() {
      yield head
      for await (const chunk of createReadStream(file)) yield chunk as Buffer
      yield tail
    },
  }
}

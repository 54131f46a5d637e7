import { wireError } from './errors.ts'

export interface UploadForm {
  readonly fields: Readonly<Record<string, string>>
  /** Bytes of the part named `file`; they must be read. What comes after them is not looked at. */
  readonly file: AsyncIterable<Uint8Array>
}

const MOST_HEADER = 16 << 10
const MOST_FIELDS = 64

/** Reads a form (multipart/form-data, RFC 7578) whose fields come before its file, as those of S3 do. Errors: 400. */
export async function readUploadForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
): Promise<UploadForm> {
  const parts = /boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(contentType)
  if (!parts) throw wireError(400, 'The form has no boundary')
  const delimiter = Buffer.from(`\r\n--${parts[1] ?? parts[2]}`)
  const source = body[Symbol.asyncIterator]()
  // So that the first delimiter looks as the others do.
  let held = Buffer.from('\r\n')

  async function more(): Promise<void> {
    const { done, value } = await source.next()
    if (done) throw wireError(400, 'The form breaks off')
    held = Buffer.concat([held, value])
  }
  /** Everything before a mark, which is skipped. */
  async function before(mark: Buffer, most: number): Promise<Buffer> {
    for (;;) {
      const at = held.indexOf(mark)
      if (at >= 0) {
        const found = held.subarray(0, at)
        held = held.subarray(at + mark.length)
        return found
      }
      if (held.length > most) throw wireError(400, 'A part of the form is too long')
      await more()
    }
  }
  async function* file(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = held.indexOf(delimiter)
      if (at >= 0) {
        if (at > 0) yield held.subarray(0, at)
        break
      }
      const sure = held.length - delimiter.length
      if (sure > 0) {
        yield held.subarray(0, sure)
        held = held.subarray(sure)
      }
      await more()
    }
    // The end of the form is read as well: an answer before it would cut off its sender.
    while (!(await source.next()).done);
  }

  await before(delimiter, MOST_HEADER)
  const fields: Record<string, string> = {}
  for (let n = 0; n < MOST_FIELDS; n++) {
    if ((await before(Buffer.from('\r\n'), MOST_HEADER)).toString() !== '')
      throw wireError(400, 'The form has no file')
    const header = (await before(Buffer.from('\r\n\r\n'), MOST_HEADER)).toString()
    const name = /content-disposition:[^\r\n]*;\s*name="?([^";\r\n]+)"?/i.exec(header)?.[1]
    if (name === undefined) throw wireError(400, 'A part of the form has no name')
    if (name === 'file') return { fields, file: file() }
    fields[name] = (await before(delimiter, MOST_HEADER)).toString()
  }
  throw wireError(400, 'The form has too many fields')
}

import { open } from 'node:fs/promises'

export interface LogPart {
  readonly stream: 'out' | 'err'
  readonly at: number
  readonly text: string
}

const PART_BYTES = 64 << 10
/** As much of each stream is sent; the server keeps no more. */
const MOST_BYTES = 2 << 20

/** Reads what a payload wrote since the last time, whole characters only, until the most that is sent. */
export function logReader(files: Readonly<Record<'out' | 'err', string>>) {
  const sent = { out: 0, err: 0 }

  async function next(stream: 'out' | 'err', last: boolean): Promise<LogPart | undefined> {
    const at = sent[stream]
    const length = Math.min(PART_BYTES, MOST_BYTES - at)
    if (length <= 0) return undefined
    const handle = await open(files[stream], 'r').catch(() => undefined)
    if (!handle) return undefined
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, at)
      const whole = last && bytesRead < length ? bytesRead : wholeCharacters(buffer.subarray(0, bytesRead))
      if (whole === 0) return undefined
      return { stream, at, text: buffer.subarray(0, whole).toString('latin1') }
    } finally {
      await handle.close()
    }
  }

  return {
    /** The next parts, at most `most`; they count as sent only when `confirm` is called. */
    async read(most: number, last = false): Promise<{ parts: LogPart[]; confirm(): void }> {
      const before = { ...sent }
      const parts: LogPart[] = []
      for (const stream of ['out', 'err'] as const) {
        while (parts.length < most) {
          const part = await next(stream, last)
          if (!part) break
          const bytes = Buffer.from(part.text, 'latin1')
          sent[stream] += bytes.length
          parts.push({ ...part, text: bytes.toString('utf8') })
        }
      }
      const after = { ...sent }
      Object.assign(sent, before)
      return { parts, confirm: () => void Object.assign(sent, after) }
    },
  }
}

/** Bytes before a character of UTF-8 that is not complete yet. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needed > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

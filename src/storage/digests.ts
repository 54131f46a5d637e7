import { createHash } from 'node:crypto'
import { adler32, adler32Hex, parseAdler32 } from '../kernel/adler32.ts'
import { badRequest, checksumMismatch } from './errors.ts'

/** Wire forms: adler32 eight lowercase hex digits, md5 thirty-two. */
export interface Digests {
  readonly adler32: string
  readonly md5: string
}

const BASE = 65521

/** Checksum of A followed by B from those of A and B alone, so that ranges may be summed apart. */
export function adler32Combine(first: number, second: number, secondLength: number): number {
  const length = secondLength % BASE
  const a1 = first & 0xffff
  const a = (a1 + (second & 0xffff) + BASE - 1) % BASE
  const b = (((length * a1) % BASE) + (first >>> 16) + (second >>> 16) + BASE - length) % BASE
  return ((b << 16) | a) >>> 0
}

/** Sums bytes as they pass. */
export function digester(): { update(chunk: Uint8Array): void; done(): Digests } {
  const md5 = createHash('md5')
  let sum = 1
  return {
    update(chunk) {
      sum = adler32(chunk, sum)
      md5.update(chunk)
    },
    done: () => ({ adler32: adler32Hex(sum), md5: md5.digest('hex') }),
  }
}

/** Throws `checksum_mismatch` unless every expected digest equals the real one. */
export function checkDigests(expected: Partial<Digests> | undefined, real: Partial<Digests>): void {
  for (const kind of ['adler32', 'md5'] as const) {
    const want = expected?.[kind]
    const got = real[kind]
    if (want === undefined || got === undefined || want === got) continue
    throw checksumMismatch(`The ${kind} checksum is ${got}, but ${want} was announced.`, {
      party: 'source',
      class: 'transient',
      [kind]: got,
    })
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** What a client announces in Digest, Repr-Digest, Content-MD5 or OC-Checksum; broken values are refused. */
export function announcedDigests(headers: Headers): Partial<Digests> {
  const found: { adler32?: string; md5?: string } = {}
  const take = (kind: string, value: string, base64: boolean): void => {
    if (kind === 'adler32' || kind === 'adler') found.adler32 = wireAdler(value, base64)
    if (kind === 'md5') found.md5 = wireMd5(value)
  }
  for (const item of text(headers.digest).split(',')) {
    const [kind, value] = pair(item, '=')
    take(kind, value, false)
  }
  for (const item of text(headers['repr-digest']).split(',')) {
    const [kind, value] = pair(item, '=')
    const bytes = /^:([A-Za-z0-9+/=]*):$/.exec(value)?.[1]
    if (bytes !== undefined) take(kind, bytes, true)
  }
  const [kind, value] = pair(text(headers['oc-checksum']), ':')
  take(kind, value, false)
  if (headers['content-md5'] !== undefined) found.md5 = wireMd5(text(headers['content-md5']))
  return found
}

const text = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value.join(',') : (value ?? '')

function pair(item: string, separator: string): [string, string] {
  const at = item.indexOf(separator)
  return at < 0 ? ['', ''] : [item.slice(0, at).trim().toLowerCase(), item.slice(at + 1).trim()]
}

function wireAdler(value: string, base64: boolean): string {
  const sum = base64 ? Buffer.from(value, 'base64') : undefined
  const number = sum ? (sum.length === 4 ? sum.readUInt32BE() : undefined) : parseAdler32(value)
  if (number === undefined) throw badRequest('The announced adler32 is not eight hexadecimal digits.')
  return adler32Hex(number)
}

function wireMd5(value: string): string {
  if (/^[0-9a-f]{32}$/i.test(value)) return value.toLowerCase()
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length !== 16)
    throw badRequest('The announced md5 is neither base64 of 16 bytes nor 32 hex digits.')
  return bytes.toString('hex')
}

/** The digest algorithms a Want-Digest header asks for, best first; q=0 means "not this one". */
export function wantedDigests(header: string | string[] | undefined): ('adler32' | 'md5')[] {
  return text(header)
    .split(',')
    .slice(0, 32)
    .map((item) => {
      const [name = '', ...params] = item.split(';').map((part) => part.trim().toLowerCase())
      const q = params.find((p) => p.startsWith('q='))?.slice(2)
      return { name, q: q === undefined ? 1 : Number(q) }
    })
    .filter(({ name, q }) => q > 0 && (name === 'adler32' || name === 'md5'))
    .sort((x, y) => y.q - x.q)
    .map(({ name }) => name as 'adler32' | 'md5')
}

/** Legacy header value; no blanks, because clients split at the comma without trimming. */
export function digestHeader(digests: Partial<Digests>, wanted: readonly ('adler32' | 'md5')[]): string {
  return wanted
    .flatMap((kind) => {
      const value = digests[kind]
      if (value === undefined) return []
      return kind === 'md5' ? [`md5=${Buffer.from(value, 'hex').toString('base64')}`] : [`adler32=${value}`]
    })
    .join(',')
}

/** RFC 9530 form, for `Want-Repr-Digest`. */
export function reprDigestHeader(digests: Partial<Digests>, want: string): string {
  const asked = want.toLowerCase()
  const items: string[] = []
  for (const [key, kind] of [
    ['adler', 'adler32'],
    ['md5', 'md5'],
  ] as const) {
    const value = digests[kind]
    if (value && asked.includes(key)) items.push(`${key}=:${Buffer.from(value, 'hex').toString('base64')}:`)
  }
  return items.join(', ')
}

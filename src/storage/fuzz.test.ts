import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { adler32, adler32Hex } from '../kernel/adler32.ts'
import { isGridError } from '../kernel/errors.ts'
import { copyAnswerReader } from './copy-answer.ts'
import { adler32Combine, announcedDigests, digester, digestHeader, wantedDigests } from './digests.ts'
import { checkedUrl } from './outbound.ts'

/** Whatever comes from outside is understood or refused with an error of ours; nothing else ever escapes. */
function understoodOrRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!isGridError(error)) throw error
    return undefined
  }
}
const digests = fc.uint8Array({ maxLength: 5000 }).map((bytes) => {
  const sums = digester()
  sums.update(bytes)
  return sums.done()
})

describe('checksums', () => {
  test('of two parts combine to that of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), fc.uint8Array({ maxLength: 9000 }), (a, b) => {
        const whole = adler32(Buffer.concat([a, b]))
        expect(adler32Combine(adler32(a), adler32(b), b.length)).toBe(whole)
        expect(adler32(b, adler32(a))).toBe(whole)
      }),
    )
  })
  test('survive their header', () => {
    fc.assert(
      fc.property(digests, (sums) => {
        expect(announcedDigests({ digest: digestHeader(sums, ['adler32', 'md5']) })).toEqual(sums)
        expect(announcedDigests({ 'oc-checksum': `ADLER32:${sums.adler32.toUpperCase()}` })).toEqual({
          adler32: adler32Hex(Number.parseInt(sums.adler32, 16)),
        })
      }),
    )
  })
  test('in headers of any text are understood or refused', () => {
    const names = ['digest', 'repr-digest', 'oc-checksum', 'content-md5'] as const
    const value = fc.oneof(
      fc.string(),
      fc.string().map((s) => `adler32=${s}`),
      fc.string().map((s) => `md5=:${s}:`),
    )
    fc.assert(
      fc.property(fc.constantFrom(...names), value, (name, text) => {
        const found = understoodOrRefused(() => announcedDigests({ [name]: text }))
        if (found?.adler32 !== undefined) expect(found.adler32).toMatch(/^[0-9a-f]{8}$/)
        if (found?.md5 !== undefined) expect(found.md5).toMatch(/^[0-9a-f]{32}$/)
        expect(wantedDigests(text).every((kind) => kind === 'adler32' || kind === 'md5')).toBe(true)
      }),
    )
  })
})

describe('the answer of a copy', () => {
  const read = (text: string, cuts: number[]): { bytes: bigint; success: boolean } => {
    let bytes = 0n
    const reader = copyAnswerReader((n) => {
      bytes = n
    })
    const data = Buffer.from(text)
    let at = 0
    for (const cut of [...cuts, data.length]) {
      const end = Math.min(data.length, at + cut)
      reader.take(data.subarray(at, end))
      at = end
    }
    const success = understoodOrRefused(() => {
      reader.finish()
      return true
    })
    return { bytes, success: success ?? false }
  }
  test('means the same however it is cut into pieces', () => {
    const cuts = fc.array(fc.nat(40), { maxLength: 30 })
    const stripes = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        stripes,
        cuts,
        fc.constantFrom('success: Created\n', 'success', ' Success\r\n'),
        (list, at, last) => {
          const markers = list.map(
            (n, i) =>
              `Perf Marker\n    Stripe Index: ${i}\n    Stripe Bytes Transferred: ${n}\n  RemoteConnections: tcp:é\nEnd\n`,
          )
          const total = list.reduce((sum, n) => sum + BigInt(n), 0n)
          expect(read(markers.join('') + last, at)).toEqual({ bytes: total, success: true })
        },
      ),
    )
  })
  test('of any text is no success unless it says so', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.nat(9)), (text, cuts) => {
        const { success } = read(text, cuts)
        if (success) expect(text).toMatch(/^\s*success/im)
        expect(read(`${text}\nfailure: ${text.replaceAll('\n', ' ')} [code=x`, cuts).success).toBe(false)
      }),
    )
  })
})

test('an address is https at an allowed host, or refused', () => {
  const allowed = new Set(['kek.example:8443'])
  const text = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.string().map((s) => `https://kek.example:8443${s}`),
    fc.string().map((s) => `https://${s}kek.example:8443/`),
  )
  fc.assert(
    fc.property(text, (address) => {
      const url = understoodOrRefused(() => checkedUrl(address, allowed))
      if (url) expect([url.protocol, url.host, url.username]).toEqual(['https:', 'kek.example:8443', ''])
    }),
  )
  expect(checkedUrl('davs://kek.example:8443/x', allowed).href).toBe('https://kek.example:8443/x')
})

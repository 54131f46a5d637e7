import { describe, expect, test } from 'vitest'
import { copyAnswerReader } from './copy-answer.ts'

function read(text: string, onProgress: (bytes: bigint) => void = () => undefined, size = 7): void {
  const reader = copyAnswerReader(onProgress)
  for (let i = 0; i < text.length; i += size) reader.take(Buffer.from(text.slice(i, i + size)))
  reader.finish()
}
const marker = (stripe: number, bytes: number) =>
  `Perf Marker\n    Timestamp: 1\n    Stripe Index: ${stripe}\n    Stripe Bytes Transferred: ${bytes}\n    Total Stripe Count: 2\nEnd\n`

describe('the answer to a third-party copy', () => {
  test('adds the stripes up, and success needs no final newline', () => {
    const seen: bigint[] = []
    read(`${marker(0, 5)}${marker(1, 7)}${marker(0, 10)} Success: Created`, (n) => seen.push(n))
    expect(seen).toEqual([5n, 12n, 17n])
  })
  test('without a verdict is an unknown outcome', () => {
    expect(() => read(marker(0, 5))).toThrow(expect.objectContaining({ code: 'copy_outcome_unknown' }))
  })
  test('tells who failed and how', () => {
    const ours = 'failure: localhost:1 answered 404 for /x. [code=remote_rejected party=source class=final]\n'
    expect(() => read(ours)).toThrow(
      expect.objectContaining({
        code: 'remote_rejected',
        details: { party: 'source', class: 'final', status: 404 },
      }),
    )
    expect(() => read('failure: disk is on fire\n')).toThrow(
      expect.objectContaining({ code: 'remote_failed' }),
    )
  })
})

import { documentTooLarge } from './errors.ts'
import type { Outbound } from './outbound.ts'

/** A whole document; throws `document_too_large` beyond `maxBytes`, and what the fetcher throws. */
export async function fetchDocument(
  outbound: Outbound,
  url: string,
  limits: { maxBytes: number; deadlineMs?: number },
): Promise<Buffer> {
  const signal = AbortSignal.timeout(limits.deadlineMs ?? 60_000)
  const answer = await outbound({ method: 'GET', url, signal, party: 'source' })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limits.maxBytes) {
      answer.destroy()
      throw documentTooLarge(`${new URL(url).host} sends more than ${limits.maxBytes} bytes.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

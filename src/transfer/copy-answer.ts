import { GridError } from '../kernel/index.ts'
import { copyFailed, copyOutcomeUnknown } from './errors.ts'

/** Reads the body of a third-party copy: performance markers, then one line that tells the outcome. */
export async function readCopyAnswer(
  body: AsyncIterable<Uint8Array | string>,
  onProgress: (bytes: bigint) => void,
): Promise<void> {
  const stripes = new Map<string, bigint>()
  let stripe = '0'
  let rest = ''
  let verdict: string | undefined
  const line = (text: string): void => {
    const trimmed = text.trim()
    const [, key = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(trimmed) ?? []
    const name = key.toLowerCase()
    if (/^(success|failure|failed|aborted)/i.test(trimmed)) verdict = trimmed
    else if (name === 'stripe index') stripe = value
    else if (name === 'stripe bytes transferred' && /^\d{1,18}$/.test(value) && stripes.size < 1000) {
      stripes.set(stripe, BigInt(value))
      onProgress([...stripes.values()].reduce((sum, n) => sum + n, 0n))
    }
  }
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    const text = rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    const lines = text.split('\n')
    rest = (lines.pop() ?? '').slice(0, 65_536)
    for (const each of lines) line(each)
  }
  if (rest.trim()) line(rest)
  if (verdict === undefined)
    throw copyOutcomeUnknown('The connection ended before the storage told the outcome.', {
      party: 'destination',
    })
  if (!/^success/i.test(verdict)) throw verdictError(verdict)
}

/** `failure: text [code=… party=… class=…]`; the bracket is ours, foreign storages send only text. */
function verdictError(verdict: string): GridError {
  const [, text = '', facts = ''] = /^\w+:?\s*(.*?)\s*(?:\[([^\]]*)\])?$/.exec(verdict) ?? []
  const given = Object.fromEntries(facts.split(' ').map((pair) => pair.split('=') as [string, string]))
  const status = /answered (\d{3})/.exec(text)?.[1]
  const { code, party = guessParty(text) } = given
  const details = {
    party,
    ...(status && { status: Number(status) }),
    ...(given.class && { class: given.class }),
  }
  const message = text || 'The storage says the copy failed.'
  if (code) return new GridError({ code, kind: 'transient', message, details })
  if (/checksum|digest/i.test(text))
    return new GridError({ code: 'checksum_mismatch', kind: 'invalid', message, details })
  return copyFailed(message, details)
}

function guessParty(text: string): string {
  return /remote|source|GET/i.test(text) ? 'source' : 'destination'
}

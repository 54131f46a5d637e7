import { type ErrorKind, GridError } from '../kernel/errors.ts'
import { copyOutcomeUnknown, type Party, remoteFailed } from './errors.ts'

/** Longer lines than this say nothing that anybody needs. */
const LONGEST_LINE = 65_536
const MOST_STRIPES = 1_000

/** Follows the body of a third-party copy: performance markers, then one line that tells the outcome. */
export function copyAnswerReader(onProgress: (bytes: bigint) => void): {
  take(chunk: Uint8Array): void
  /** Call when the body has ended; throws unless the last line says success. */
  finish(): void
} {
  const stripes = new Map<string, bigint>()
  const decoder = new TextDecoder()
  let stripe = '0'
  let rest = ''
  let verdict: string | undefined

  function line(text: string): void {
    const trimmed = text.trim()
    if (/^(success|failure|failed|aborted)/i.test(trimmed)) verdict = trimmed
    const [, key = '', value = ''] = /^([^:]{1,64}):\s*(.*)$/.exec(trimmed) ?? []
    const name = key.toLowerCase()
    if (name === 'stripe index') stripe = value.slice(0, 20)
    if (name !== 'stripe bytes transferred' || !/^\d{1,18}$/.test(value)) return
    if (!stripes.has(stripe) && stripes.size >= MOST_STRIPES) return
    stripes.set(stripe, BigInt(value))
    let sum = 0n
    for (const bytes of stripes.values()) sum += bytes
    onProgress(sum)
  }

  return {
    take(chunk) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = (lines.pop() ?? '').slice(0, LONGEST_LINE)
      for (const each of lines) line(each)
    },
    finish() {
      // Some storages send no newline after the last line.
      line(rest + decoder.decode())
      if (verdict === undefined)
        throw copyOutcomeUnknown('The connection ended before the storage told the outcome.', {
          party: 'destination',
          class: 'transient',
        })
      if (!/^success/i.test(verdict)) throw verdictError(verdict)
    },
  }
}

const PARTIES: readonly string[] = ['source', 'destination', 'network'] satisfies Party[]
const CLASSES = new Set(['overload', 'transient', 'final'])

/** `failure: text [code=… party=… class=…]`; the bracket is ours, foreign storages send only text. */
function verdictError(verdict: string): GridError {
  const [, text = '', facts = ''] = /^\w+\s*:?\s*(.*?)\s*(?:\[([^[\]]*)\])?$/s.exec(verdict) ?? []
  const given = new Map(facts.split(' ').map((pair) => pair.split('=', 2) as [string, string]))
  const message = text.slice(0, 500) || 'The storage says that the copy failed.'
  const party = given.get('party') ?? ''
  const answered = /answered (\d{3})\b/.exec(text)?.[1]
  const details = {
    party: PARTIES.includes(party) ? party : guessedParty(text),
    class: CLASSES.has(given.get('class') ?? '') ? given.get('class') : 'transient',
    ...(answered && { status: Number(answered) }),
  }
  const code = /^[a-z_]{1,64}$/.exec(given.get('code') ?? '')?.[0]
  if (code) return new GridError({ code, kind: kindOf(code), message, details })
  if (/checksum|digest/i.test(text))
    return new GridError({ code: 'checksum_mismatch', kind: 'invalid', message, details })
  return remoteFailed(message, details)
}

function kindOf(code: string): ErrorKind {
  if (code === 'storage_full') return 'exhausted'
  if (code === 'checksum_mismatch' || code === 'bad_path') return 'invalid'
  if (code === 'already_exists' || code.endsWith('_directory')) return 'conflict'
  if (code === 'remote_refused' || code === 'host_not_allowed') return 'denied'
  return 'transient'
}

const guessedParty = (text: string): Party =>
  /\b(remote|source|GET)\b/i.test(text) ? 'source' : 'destination'

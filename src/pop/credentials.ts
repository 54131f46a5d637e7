import { readFile, rename, writeFile } from 'node:fs/promises'
import {
  ANY_AUDIENCE,
  foreignTokens,
  type IssuerTrust,
  type Refusable,
  type Refused,
  refusalIn,
  type TokenVerifier,
} from '../identity/verifier.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import type { ServerChannel } from './channel.ts'

interface Kept {
  readonly version: string
  readonly issuers: readonly IssuerTrust[]
  readonly refused: Refused
  /** When the server last said that this is so, milliseconds. */
  readonly heardAt: number
}

/** What the server says of credentials: which issuers of others count, and what does not count any more. */
export interface KnownCredentials {
  /** Why a good credential is refused all the same. */
  refusal(of: Refusable): Promise<string | undefined>
  /** Tokens of the own issuer, and of those that the server says are trusted. */
  verifier(own: TokenVerifier): TokenVerifier
  /** Follows the server's word until the signal. */
  follow(signal: AbortSignal): Promise<void>
}

/** Without a word from the server for so long, issuers of others are trusted no more: one may have been removed. */
const HEARD_MS = 86_400_000
const LOOKED_MS = 60_000

/** Keeps what the server said in a file, for while it is away. */
export function knownCredentials(deps: {
  readonly channel: ServerChannel
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}): KnownCredentials {
  const { channel, file, clock, log } = deps
  const nobody: Kept = {
    version: '',
    issuers: [],
    refused: { accounts: [], clients: [], tokens: [] },
    heardAt: 0,
  }
  const now = () => clock.now().getTime()
  let kept: Kept | undefined
  const looked = new Map<string, number>()
  const load = async (): Promise<Kept> => {
    kept ??= ((await readFile(file, 'utf8').then(JSON.parse, () => undefined)) as Kept | undefined) ?? nobody
    return kept
  }
  let written: Promise<void> = Promise.resolve()
  const keep = (next: Kept): Promise<void> => {
    kept = next
    // One at a time: two would write into the same new file.
    written = written
      .then(() => writeFile(`${file}.new`, JSON.stringify(next), { mode: 0o600 }))
      .then(() => rename(`${file}.new`, file))
      .catch((error: unknown) => log.warn({ err: error }, 'what the server said is not kept'))
    return written
  }
  const ask = async (query: string, signal: AbortSignal): Promise<void> => {
    const before = await load()
    const answer = await channel.get(`credentials?known=${before.version}${query}`, signal)
    await keep({ ...before, ...((await answer.json()) as Partial<Kept>), heardAt: now() })
  }
  const none: readonly IssuerTrust[] = []
  const foreign = foreignTokens({
    now: clock.now,
    async trusted() {
      const { issuers, heardAt } = await load()
      return now() - heardAt < HEARD_MS ? issuers : none
    },
    async unknownKey(issuer, kid) {
      if (now() - (looked.get(issuer) ?? -Infinity) < LOOKED_MS) return
      looked.set(issuer, now())
      try {
        await channel.post('credentials/look', { issuer, kid })
        await ask('', AbortSignal.timeout(10_000))
      } catch (error) {
        log.warn({ issuer, err: error }, 'an unknown key could not be looked for')
      }
    },
  })
  return {
    refusal: async (of) => refusalIn((await load()).refused, of),
    verifier: (own) => ({
      async verify(token, accept) {
        if (!(await foreign.claimed(token))) return own.verify(token, accept)
        // "For everybody" is for our own issuer; whoever trusts others with it says so.
        const here = accept.audience.filter((audience) => audience !== ANY_AUDIENCE)
        return (await foreign.verify(token, here)).principal
      },
    }),
    async follow(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await ask('&wait=20', signal)
          failures = 0
        } catch {
          const wait = backoffMs(++failures, { firstMs: 500, capMs: 15_000 }, { next: Math.random })
          await clock.sleep(wait, signal)
        }
      }
    },
  }
}

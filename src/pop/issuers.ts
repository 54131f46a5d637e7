import { readFile, rename, writeFile } from 'node:fs/promises'
import { ANY_AUDIENCE, foreignTokens, type IssuerTrust, type TokenVerifier } from '../identity/verifier.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import type { ServerChannel } from './channel.ts'

interface Kept {
  readonly version: string
  readonly issuers: readonly IssuerTrust[]
  /** When the server last said that this is so, milliseconds. */
  readonly heardAt: number
}

export interface FederatedVerifier extends TokenVerifier {
  /** Follows the server's list until the signal. */
  follow(signal: AbortSignal): Promise<void>
}

/** Without a word from the server for so long, issuers of others are trusted no more: one may have been removed. */
const HEARD_MS = 86_400_000
const LOOKED_MS = 60_000

/** Tokens of the own issuer, and of those that the server says are trusted; the list is kept in a file. */
export function federatedVerifier(deps: {
  readonly own: TokenVerifier
  readonly channel: ServerChannel
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}): FederatedVerifier {
  const { own, channel, file, clock, log } = deps
  const nobody: Kept = { version: '', issuers: [], heardAt: 0 }
  const now = () => clock.now().getTime()
  let kept: Kept | undefined
  const looked = new Map<string, number>()
  const load = async (): Promise<Kept> => {
    kept ??= ((await readFile(file, 'utf8').then(JSON.parse, () => undefined)) as Kept | undefined) ?? nobody
    return kept
  }
  const keep = async (next: Kept): Promise<void> => {
    kept = next
    await writeFile(`${file}.new`, JSON.stringify(next), { mode: 0o600 })
    await rename(`${file}.new`, file)
  }
  const ask = async (query: string, signal: AbortSignal): Promise<void> => {
    const { version, issuers } = await load()
    const answer = await channel.get(`issuers?known=${version}${query}`, signal)
    const said = (await answer.json()) as { version: string; issuers?: readonly IssuerTrust[] }
    await keep({ version: said.version, issuers: said.issuers ?? issuers, heardAt: now() })
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
        await channel.post('issuers/look', { issuer, kid })
        await ask('', AbortSignal.timeout(10_000))
      } catch (error) {
        log.warn({ issuer, err: error }, 'an unknown key could not be looked for')
      }
    },
  })
  return {
    async verify(token, accept) {
      if (!(await foreign.claimed(token))) return own.verify(token, accept)
      // "For everybody" is for our own issuer; whoever trusts others with it says so.
      const here = accept.audience.filter((audience) => audience !== ANY_AUDIENCE)
      return (await foreign.verify(token, here)).principal
    },
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

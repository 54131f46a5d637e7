import { createHash } from 'node:crypto'
import {
  anonymous,
  certificateRefused,
  type Principal,
  parseScope,
  type Refusable,
  slashOf,
  type VerifiedChain,
} from '../identity/verifier.ts'
import { defineError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/ports.ts'
import type { ServerChannel } from './channel.ts'

const rightsUnknown = defineError('transient', 'rights_unknown')

/** What the server says of the holder of a certificate. */
type Answer =
  | {
      readonly account: string | null
      readonly kind: Principal['kind']
      readonly vo: string
      readonly groups: readonly string[]
      readonly scopes: readonly string[]
      readonly validSeconds: number
    }
  | { readonly refused: { readonly code: string; readonly message: string } }

export interface CertificateBearers {
  /** The principal behind a verified chain; throws certificate_refused, and rights_unknown while the server is away. */
  of(chain: VerifiedChain): Promise<Principal>
}

/** However long the server would let an answer be used. */
const LONGEST_MS = 60_000
/** A refusal is asked again sooner: somebody may just have linked the certificate. */
const REFUSED_MS = 5_000
const MOST_KEPT = 5_000

/** Rights by certificate are the server's to know; its answers are kept for a minute at most, and denied by default. */
export function certificateBearers(deps: {
  readonly channel: Pick<ServerChannel, 'post'>
  readonly clock: Pick<Clock, 'now'>
  /** Why somebody known is refused since the server answered. */
  readonly refusal?: (of: Refusable) => Promise<string | undefined>
}): CertificateBearers {
  const kept = new Map<string, { until: number; answer: Promise<Answer> }>()
  const now = () => deps.clock.now().getTime()

  async function ask(chain: VerifiedChain): Promise<Answer> {
    const { endEntity, limited, attributes } = chain
    const question = {
      ...{ certificate: endEntity.der.toString('base64'), limited },
      ...(attributes && { attributes: attributes.toString('base64') }),
    }
    try {
      return (await (await deps.channel.post('bearers', question)).json()) as Answer
    } catch (cause) {
      throw rightsUnknown(
        'The server that knows your rights cannot be asked at the moment; try again.',
        {},
        cause,
      )
    }
  }

  function answerFor(chain: VerifiedChain): Promise<Answer> {
    const attributes = createHash('sha256')
      .update(chain.attributes ?? '')
      .digest('base64')
    const key = `${chain.endEntity.fingerprint} ${chain.limited} ${attributes}`
    const known = kept.get(key)
    if (known && now() < known.until) return known.answer
    if (kept.size >= MOST_KEPT) kept.clear()
    const asked = { until: now() + LONGEST_MS, answer: ask(chain) }
    kept.set(key, asked)
    const begun = now()
    asked.answer.then(
      (answer) => {
        const valid = 'refused' in answer ? REFUSED_MS : Math.min(LONGEST_MS, answer.validSeconds * 1000)
        asked.until = begun + valid
      },
      () => {
        if (kept.get(key) === asked) kept.delete(key)
      },
    )
    return asked.answer
  }

  return {
    async of(chain) {
      const answer = await answerFor(chain)
      if ('refused' in answer)
        throw certificateRefused(answer.refused.message, { reason: answer.refused.code })
      const why = await deps.refusal?.({ account: answer.account, clientId: null })
      if (why !== undefined) throw certificateRefused(why, { reason: 'account_suspended' })
      const { endEntity, limited, expiresAt } = chain
      return {
        ...anonymous,
        ...{ kind: answer.kind, account: answer.account, vo: answer.vo, groups: answer.groups },
        ...{ limited, expiresAt, method: 'x509', subject: slashOf(endEntity.subject) },
        issuer: slashOf(endEntity.issuer),
        scopes: answer.scopes.map(parseScope),
      }
    },
  }
}

import type { Clock } from '../../kernel/ports.ts'
import type { VerifiedChain } from '../x509/chain.ts'
import type { TrustDirectory } from '../x509/trust.ts'
import { type VerifiedAttributes, verifyAttributes } from './verify.ts'
import type { VomsAuthorities } from './voms-directory.ts'

/** The attributes of proxies, as the doors ask for them. */
export interface ProxyAttributes {
  /**
   * Those of that VO, if the proxy carries any; throws `attributes_refused` when they do not count. `host` is where the
   * proxy was shown, if not here.
   */
  of(chain: VerifiedChain, vo: string, host?: string): Promise<VerifiedAttributes | undefined>
}

/** Verifies the attributes of a connection's chain when first asked for, and remembers the outcome with the chain. */
export function proxyAttributes(options: {
  readonly trust: TrustDirectory
  readonly authorities: VomsAuthorities
  /** Names of this host. */
  readonly hosts: readonly string[]
  readonly clock: Pick<Clock, 'now'>
}): ProxyAttributes {
  const { trust, authorities, hosts, clock } = options
  const known = new WeakMap<VerifiedChain, Map<string, Promise<VerifiedAttributes | undefined>>>()
  const verify = async (chain: VerifiedChain, vo: string, host: string | undefined) => {
    const trusted = { anchors: await trust.current(), authorities }
    const here = host === undefined ? hosts : [host]
    return verifyAttributes(chain, { vo, trust: trusted, hosts: here, now: clock.now() })
  }
  return {
    of(chain, vo, host) {
      const mine = known.get(chain) ?? new Map<string, Promise<VerifiedAttributes | undefined>>()
      known.set(chain, mine)
      const key = `${vo} ${host ?? ''}`
      const before = mine.get(key)
      if (before) return before
      const fresh = verify(chain, vo, host)
      fresh.catch(() => undefined)
      mine.set(key, fresh)
      return fresh
    },
  }
}

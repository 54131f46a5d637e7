import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { hostNotAllowed } from './errors.ts'

/** How much a host is trusted: `listed` by the operator, or anybody's. */
export type Trust = 'listed' | 'public'

// Nothing that a storage could be: "this network", link-local (with the metadata services of clouds), multicast, reserved.
const never = new BlockList()
never.addSubnet('0.0.0.0', 8)
never.addSubnet('169.254.0.0', 16)
never.addSubnet('224.0.0.0', 4)
never.addSubnet('240.0.0.0', 4)
never.addAddress('::', 'ipv6')
never.addSubnet('fe80::', 10, 'ipv6')
never.addSubnet('ff00::', 8, 'ipv6')

// Reachable from inside only (RFC 1918, 6598, 4193, loopback, benchmarking) or a wrapping of IPv4 (NAT64, 6to4, Teredo).
const inside = new BlockList()
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
] as const) {
  inside.addSubnet(network, bits)
}
for (const [network, bits] of [
  ['::1', 128],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fec0::', 10],
] as const) {
  inside.addSubnet(network, bits, 'ipv6')
}

/** Whether a connection may go to this numeric address. */
export function addressAllowed(address: string, trust: Trust): boolean {
  const family = isIP(address)
  if (family === 0) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  return !never.check(address, kind) && (trust === 'listed' || !inside.check(address, kind))
}

/** Throws `host_not_allowed` for a host given as a number that may not be spoken to; names are judged when resolved. */
export function refuseAddress(host: string, trust: Trust): void {
  const bare = host.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0 && !addressAllowed(bare, trust)) throw refusal(host)
}

/**
 * A resolver for one connection. The connection goes to the very address that was judged: a name that resolves to
 * something else a moment later (DNS rebinding) gains nothing.
 */
export function guardedLookup(trust: Trust, resolve: typeof systemLookup = systemLookup): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return done(error, '', 0)
      const good = found.filter(({ address }) => addressAllowed(address, trust))
      const [first] = good
      if (!first) return done(refusal(host) as never, '', 0)
      if (options.all) return (done as (e: null, all: LookupAddress[]) => void)(null, good)
      done(null, first.address, first.family)
    })
  }
}

function refusal(host: string): Error {
  return hostNotAllowed(`${host} is at an address that may not be spoken to.`)
}

import { createHash } from 'node:crypto'
import { invalidInput } from './errors.ts'
import type { Did, Rse, RseProtocol } from './types.ts'

export type Operation = 'read' | 'write' | 'delete' | 'thirdPartyRead' | 'thirdPartyWrite'

/** Path of a name below an RSE's prefix by the RSE's algorithm (attribute lfn2pfn_algorithm: hash, identity). */
export function computePath(rse: Pick<Rse, 'attributes'>, did: Did): string {
  const scope = scopeDirectory(did.scope)
  if (rse.attributes.lfn2pfn_algorithm === 'identity') return `${scope}/${did.name}`
  const digest = createHash('md5').update(`${did.scope}:${did.name}`).digest('hex')
  return `${scope}/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${did.name}`
}

/** Where all names of a scope lie below an RSE's prefix, by every algorithm. */
export function scopeDirectory(scope: string): string {
  return /^(user|group)/.test(scope) ? scope.replaceAll('.', '/') : scope
}

/** URL of a copy; `path` is the replica's explicit path if it has one. */
export function pfnOf(rse: Rse, protocol: RseProtocol, did: Did, path?: string | null): string {
  if ((path === null || path === undefined) && !rse.deterministic) {
    throw invalidInput(
      `${rse.name} is not deterministic: the path of ${did.scope}:${did.name} must be given.`,
    )
  }
  const relative = (path ?? computePath(rse, did)).replace(/^\/+/, '')
  return `${baseOf(protocol)}${protocol.prefix.replace(/\/*$/, '/')}${relative}`
}

function baseOf(protocol: RseProtocol): string {
  if (protocol.scheme === 'file') return 'file://'
  const port = protocol.port > 0 ? `:${protocol.port}` : ''
  return `${protocol.scheme}://${protocol.hostname}${port}`
}

/** Protocols that serve an operation in a domain, best first. */
export function protocolsFor(rse: Rse, operation: Operation, domain: 'lan' | 'wan' = 'wan'): RseProtocol[] {
  const priority = (protocol: RseProtocol): number =>
    (protocol.domains[domain] as Readonly<Partial<Record<Operation, number | null>>>)[operation] ?? 0
  return rse.protocols.filter((p) => priority(p) > 0).sort((a, b) => priority(a) - priority(b))
}

/** Path below the prefix of whichever protocol the URL belongs to; null if it belongs to none. */
export function pathOfPfn(rse: Rse, pfn: string): string | null {
  for (const protocol of rse.protocols) {
    const prefix = protocol.prefix.replace(/\/*$/, '/')
    const bases = [baseOf(protocol), `${protocol.scheme}://${protocol.hostname}`]
    for (const base of bases) {
      if (!pfn.startsWith(base)) continue
      const path = pfn.slice(base.length).replace(/^\/+/, '/')
      if (path.startsWith(prefix)) return path.slice(prefix.length)
    }
  }
  return null
}

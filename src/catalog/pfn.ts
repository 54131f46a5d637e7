import type { Did, Rse, RseProtocol } from './types.ts'

export type Operation = 'read' | 'write' | 'delete' | 'thirdPartyRead' | 'thirdPartyWrite'
/** Path of a name below an RSE's prefix by the RSE's algorithm (attribute lfn2pfn_algorithm: hash, identity). */
export function computePath(rse: Rse, did: Did): string {
  throw new Error('unfinished')
}
/** URL of a copy; `path` is the replica's explicit path if it has one. */
export function pfnOf(rse: Rse, protocol: RseProtocol, did: Did, path?: string | null): string {
  throw new Error('unfinished')
}
/** Protocols that serve an operation in a domain, best first. */
export function protocolsFor(rse: Rse, operation: Operation, domain?: 'lan' | 'wan'): RseProtocol[] {
  throw new Error('unfinished')
}
/** Path below the prefix of whichever protocol the URL belongs to; null if it belongs to none. */
export function pathOfPfn(rse: Rse, pfn: string): string | null {
  throw new Error('unfinished')
}

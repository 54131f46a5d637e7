import type { KeyObject, X509Certificate } from 'node:crypto'
import { notACvmfs, notTrusted } from './errors.ts'
import type { Algorithm } from './hash.ts'
import { fingerprintOf, readSigned, signWhitelist, whitelistSignedBy } from './signed.ts'

/** What is served as `.cvmfswhitelist`: which certificates may sign manifests, said by the master key until a date. */
export interface Whitelist {
  readonly repository: string
  readonly createdAt: Date
  readonly expiresAt: Date
  /** `AB:CD:…`, with the name of the algorithm behind it unless SHA-1. */
  readonly fingerprints: readonly string[]
}

/** The text that the master key signs. */
export function whitelistBody(list: Whitelist): string {
  const lines = [
    stamp(list.createdAt),
    `E${stamp(list.expiresAt)}`,
    `N${list.repository}`,
    ...list.fingerprints,
  ]
  return `${lines.join('\n')}\n`
}

export function writeWhitelist(list: Whitelist, algorithm: Algorithm, masterKey: KeyObject): Buffer {
  return signWhitelist(whitelistBody(list), algorithm, masterKey)
}

/** Reads a whitelist that one of the master keys signed; dates and names are for `certificateAllowed`. */
export function readWhitelist(bytes: Buffer, masterKeys: readonly KeyObject[]): Whitelist {
  const signed = readSigned(bytes, 'whitelist')
  if (!masterKeys.some((key) => whitelistSignedBy(signed, key)))
    throw notTrusted('The whitelist is not signed by a key that this repository is trusted by.')
  const [created = '', expires = '', name = '', ...rest] = signed.body.split('\n')
  if (!/^\d{14}$/.test(created) || !/^E\d{14}$/.test(expires) || !name.startsWith('N'))
    throw notACvmfs('The whitelist does not begin with its dates and its name.')
  const fingerprints = rest
    .filter((line) => !/^[VW]/.test(line))
    .map((line) => line.split(/[ \t#]/)[0]!)
    .filter(Boolean)
  return {
    repository: name.slice(1),
    createdAt: fromStamp(created),
    expiresAt: fromStamp(expires.slice(1)),
    fingerprints,
  }
}

/** Throws `software_not_trusted` unless the list is of this repository, still valid and names the certificate. */
export function checkCertificate(
  list: Whitelist,
  { repository, certificate, now }: { repository: string; certificate: X509Certificate; now: Date },
): void {
  if (list.repository !== repository)
    throw notTrusted(`The whitelist is that of ${list.repository}, not of ${repository}.`)
  if (now >= list.expiresAt)
    throw notTrusted(`The whitelist of ${repository} expired at ${list.expiresAt.toISOString()}.`)
  const listed = list.fingerprints.some((line) => {
    const algorithm = (/-([A-Z0-9]+)$/.exec(line)?.[1]?.toLowerCase() ?? 'sha1') as Algorithm
    return (
      ['sha1', 'rmd160', 'shake128'].includes(algorithm) && line === fingerprintOf(certificate, algorithm)
    )
  })
  if (!listed) throw notTrusted(`The whitelist of ${repository} does not name the certificate that signed.`)
}

/** `YYYYMMDDhhmmss` in UTC. */
function stamp(date: Date): string {
  return date.toISOString().replace(/[-:T]/g, '').slice(0, 14)
}

function fromStamp(text: string): Date {
  const at = (from: number, digits = 2) => Number(text.slice(from, from + digits))
  return new Date(Date.UTC(at(0, 4), at(4) - 1, at(6), at(8), at(10), at(12)))
}

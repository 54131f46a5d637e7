import { defineError } from '../../kernel/errors.ts'
import { type Certificate, EXTENDED_KEY_USAGE, EXTENSION, KEY_USAGE } from './certificate.ts'
import { type Crl, crlState } from './crl.ts'
import { COMMON_NAME, keyOf, type Name, slashOf } from './names.ts'
import { isSigned, isStrongSignature, weaknessOf } from './signatures.ts'

/** `details.reason` is stable; the message says which certificate is at fault and what to do. */
export const certificateRefused = defineError('unauthenticated', 'certificate_refused')

export type Refusal =
  | 'too_many_certificates'
  | 'expired'
  | 'not_yet_valid'
  | 'weak_key'
  | 'weak_signature'
  | 'bad_signature'
  | 'unknown_critical_extension'
  | 'wrong_purpose'
  | 'wrong_proxy_name'
  | 'bad_proxy'
  | 'mixed_proxies'
  | 'unknown_policy_language'
  | 'path_too_long'
  | 'issuer_missing'
  | 'unknown_authority'
  | 'no_authority'
  | 'outside_namespace'
  | 'revoked'
  | 'revocation_unknown'

export type ProxyKind = 'rfc3820' | 'gt3' | 'gt2'

/** An authority that is trusted, with what limits it. */
export interface Authority {
  readonly certificate: Certificate
  /** Whether it may sign that subject; undefined when nothing says what it may sign. */
  readonly permits: ((subject: Name) => boolean) | undefined
  /** Its own list, signature checked. */
  readonly crl: Crl | undefined
  /** It publishes a list, so one must be at hand. */
  readonly crlNeeded: boolean
  /** A root that is trusted with whatever it and authorities below it sign, without any policy. */
  readonly unlimited?: boolean
}

export interface TrustAnchors {
  /** The authorities of that name (`keyOf`); several after a change of keys. */
  authorities(subjectKey: string): readonly Authority[]
  /** How long after its `nextUpdate` a list still counts, milliseconds. */
  readonly crlGraceMs: number
}

/** Who stands behind a chain of certificates. */
export interface VerifiedChain {
  /** The certificate of the person, robot or host; proxies stand for it. */
  readonly endEntity: Certificate
  /** Some proxy of the chain is limited, so all rights are. */
  readonly limited: boolean
  /** From the leaf up; empty when the certificate itself was used. */
  readonly proxies: readonly { readonly kind: ProxyKind; readonly certificate: Certificate }[]
  /** The issuer of the end entity first, the root last. */
  readonly authorities: readonly Certificate[]
  /** When the first certificate of the chain ends. */
  readonly expiresAt: Date
  /** What VOMS put into the proxy nearest to the leaf that has anything of it; not verified. */
  readonly attributes: Buffer | null
}

const MOST_CERTIFICATES = 16
const MOST_AUTHORITIES = 8
const SKEW_MS = 300_000
const LANGUAGE = {
  inheritAll: '1.3.6.1.5.5.7.21.1',
  limited: '1.3.6.1.4.1.3536.1.1.1.9',
} as const
const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSION.keyUsage,
  EXTENSION.basicConstraints,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.nameConstraints,
  EXTENSION.crlDistributionPoints,
  EXTENSION.certificatePolicies,
  EXTENSION.proxyCertInfo,
  EXTENSION.gt3ProxyCertInfo,
])

/**
 * Walks from the leaf over proxies (RFC 3820, GT3, GT2) to the end entity and from there to a trusted root; throws
 * `certificate_refused`. Possession of the leaf's key must have been proved already, by TLS or by a signature.
 */
export function verifyChain(
  presented: readonly Certificate[],
  options: { readonly trust: TrustAnchors; readonly now: Date },
): VerifiedChain {
  const given = [...new Map(presented.map((certificate) => [certificate.fingerprint, certificate])).values()]
  const [leaf, ...others] = given
  if (!leaf) throw refuse('issuer_missing', 'No certificate was presented.')
  if (given.length > MOST_CERTIFICATES)
    throw refuse('too_many_certificates', 'There are too many certificates.')
  const { proxies, endEntity } = walkProxies(leaf, others)
  for (const certificate of [...proxies.map((proxy) => proxy.certificate), endEntity])
    checkUsable(certificate, options.now)
  checkEndEntity(endEntity)
  const authorities = pathToRoot(endEntity, others, options.trust, options.now)
  const chain = [...proxies.map((proxy) => proxy.certificate), endEntity, ...authorities]
  return {
    endEntity,
    limited: proxies.some((proxy) => proxy.limited),
    proxies: proxies.map(({ kind, certificate }) => ({ kind, certificate })),
    authorities,
    expiresAt: new Date(Math.min(...chain.map(({ notAfter }) => notAfter.getTime()))),
    attributes: proxies.map(vomsAttributes).find((found) => found !== null) ?? null,
  }
}

/** What a chain claims, unverified: for explanations, never to let somebody in. Throws `certificate_refused`. */
export function claimedChain(presented: readonly Certificate[]): VerifiedChain {
  const [leaf, ...others] = presented
  if (!leaf) throw refuse('issuer_missing', 'There is no certificate.')
  const { proxies, endEntity } = walkProxies(leaf, others)
  return {
    ...{ endEntity, authorities: [], limited: proxies.some((proxy) => proxy.limited) },
    proxies: proxies.map(({ kind, certificate }) => ({ kind, certificate })),
    expiresAt: new Date(Math.min(...presented.map(({ notAfter }) => notAfter.getTime()))),
    attributes: proxies.map(vomsAttributes).find((found) => found !== null) ?? null,
  }
}

function refuse(reason: Refusal, message: string): Error {
  return certificateRefused(message, { reason })
}

const called = (certificate: Certificate): string => slashOf(certificate.subject)

// Proxies

interface Proxy {
  readonly kind: ProxyKind
  readonly limited: boolean
  readonly certificate: Certificate
}

function walkProxies(
  leaf: Certificate,
  others: readonly Certificate[],
): { proxies: Proxy[]; endEntity: Certificate } {
  const proxies: Proxy[] = []
  let certificate = leaf
  for (let kind = proxyKindOf(leaf); kind; kind = proxyKindOf(certificate)) {
    // A renewed certificate has the same name, so the signature decides; its absence is told by checkProxy.
    const named = others.filter(
      (other) =>
        other.subjectKey === certificate.issuerKey && !proxies.some((proxy) => proxy.certificate === other),
    )
    const signer =
      named.find((other) => isSigned({ ...certificate.signed, key: other.publicKey })) ?? named[0]
    if (!signer || signer === certificate)
      throw refuse('issuer_missing', `The certificate that made the proxy ${called(certificate)} is missing.`)
    const limited = checkProxy(certificate, kind, signer, proxies.length)
    if (proxies.some((other) => other.kind !== kind))
      throw refuse('mixed_proxies', 'The chain mixes proxies of different kinds; make a new proxy.')
    proxies.push({ kind, limited, certificate })
    certificate = signer
  }
  return { proxies, endEntity: certificate }
}

/** Whether it stands for another certificate rather than for somebody. */
export const isProxy = (certificate: Certificate): boolean => proxyKindOf(certificate) !== undefined

/** Whether it says of itself that it is for data only. */
export const isLimitedProxy = (certificate: Certificate): boolean =>
  certificate.proxy
    ? certificate.proxy.language === LANGUAGE.limited
    : proxyWordOf(certificate) === 'limited proxy'

/** The oldest kind is known only by its name: its signer's, and one of two words. */
function proxyKindOf(certificate: Certificate): ProxyKind | undefined {
  if (certificate.proxy) return certificate.proxy.kind
  const word = proxyWordOf(certificate)
  return word === 'proxy' || word === 'limited proxy' ? 'gt2' : undefined
}

/** The common name that a proxy has more than its signer. */
function proxyWordOf({ subject, issuerKey }: Certificate): string | undefined {
  const last = subject.at(-1)
  const single = last?.length === 1 && last[0]!.oid === COMMON_NAME ? last[0]!.value : undefined
  return single !== undefined && keyOf(subject.slice(0, -1)) === issuerKey ? single : undefined
}

/** Whether the proxy is limited; throws when it breaks a rule. `below`: proxies made from it. */
function checkProxy(certificate: Certificate, kind: ProxyKind, signer: Certificate, below: number): boolean {
  const { proxy, extensions, keyUsage } = certificate
  const name = called(certificate)
  const word = proxyWordOf(certificate)
  if (word === undefined)
    throw refuse('wrong_proxy_name', `The proxy ${name} does not carry the name of its owner and one more.`)
  const forbidden =
    certificate.ca ||
    extensions.has(EXTENSION.subjectAltName) ||
    extensions.has(EXTENSION.issuerAltName) ||
    keyUsage?.has(KEY_USAGE.keyCertSign) ||
    (proxy !== null && !proxy.critical)
  if (forbidden) throw refuse('bad_proxy', `The proxy ${name} claims more than a proxy may.`)
  if (signer.ca || (signer.keyUsage && !signer.keyUsage.has(KEY_USAGE.digitalSignature)))
    throw refuse('bad_proxy', `${called(signer)} may not make proxies.`)
  if (proxy && proxy.pathLength !== null && below > proxy.pathLength)
    throw refuse('path_too_long', `${name} does not allow so many proxies below it.`)
  checkSignature(certificate, signer)
  if (isLimitedProxy(certificate)) return true
  if (kind === 'gt2' || proxy!.language === LANGUAGE.inheritAll) return false
  throw refuse(
    'unknown_policy_language',
    `The proxy ${name} is independent or follows a policy nobody knows here.`,
  )
}

const vomsAttributes = ({ certificate }: Proxy): Buffer | null =>
  certificate.extensions.get(EXTENSION.vomsAttributes)?.value ?? null

// Every certificate

function checkUsable(certificate: Certificate, now: Date): void {
  const name = called(certificate)
  if (certificate.notBefore.getTime() > now.getTime() + SKEW_MS)
    throw refuse(
      'not_yet_valid',
      `${name} is valid from ${certificate.notBefore.toISOString()} on; check the clocks.`,
    )
  if (certificate.notAfter < now)
    throw refuse('expired', `${name} ended at ${certificate.notAfter.toISOString()}; make a new one.`)
  const weakness = weaknessOf(certificate.publicKey)
  if (weakness) throw refuse('weak_key', `The key of ${name} is too weak: ${weakness}.`)
  for (const [oid, { critical }] of certificate.extensions) {
    if (critical && !UNDERSTOOD.has(oid))
      throw refuse('unknown_critical_extension', `${name} has the critical extension ${oid}, unknown here.`)
  }
  const { extendedKeyUsage: purposes, keyUsage } = certificate
  const { clientAuth, any } = EXTENDED_KEY_USAGE
  const mayAuthenticate = purposes === null || purposes.includes(clientAuth) || purposes.includes(any)
  const maySign = certificate.ca || keyUsage === null || keyUsage.has(KEY_USAGE.digitalSignature)
  if (!mayAuthenticate || !maySign) throw refuse('wrong_purpose', `${name} was not made for authentication.`)
}

function checkEndEntity(certificate: Certificate): void {
  if (certificate.ca)
    throw refuse('wrong_purpose', `${called(certificate)} is an authority, not a person or service.`)
}

function checkSignature(certificate: Certificate, signer: Certificate): void {
  if (!isStrongSignature(certificate.signed.oid))
    throw refuse('weak_signature', `${called(certificate)} is signed with SHA-1, MD5 or an unknown method.`)
  if (!isSigned({ ...certificate.signed, key: signer.publicKey }))
    throw refuse('bad_signature', `The signature of ${called(certificate)} is wrong.`)
}

// Authorities

function pathToRoot(
  endEntity: Certificate,
  others: readonly Certificate[],
  trust: TrustAnchors,
  now: Date,
): Certificate[] {
  const path: Authority[] = []
  let certificate = endEntity
  do {
    if (path.length >= MOST_AUTHORITIES) throw refuse('path_too_long', 'There are too many authorities.')
    const authority = issuerOf(certificate, others, trust)
    path.push(authority)
    certificate = authority.certificate
  } while (certificate.issuerKey !== certificate.subjectKey)
  // Only a root of the trust directory ends the walk; a presented one is a stranger.
  const root = path.at(-1)!
  if (!trust.authorities(root.certificate.subjectKey).some((known) => known.certificate === root.certificate))
    throw refuse('unknown_authority', `The authority ${called(root.certificate)} is not trusted here.`)
  path.forEach((authority, depth) => {
    checkAuthority(authority, depth, path)
    checkUsable(authority.certificate, now)
    const subject = depth === 0 ? endEntity : path[depth - 1]!.certificate
    checkLimits(authority, subject, path)
    checkRevocation(authority, subject, trust, now)
  })
  return path.map((authority) => authority.certificate)
}

/** A trusted authority of the issuer's name if there is one, else one that was presented. */
function issuerOf(certificate: Certificate, others: readonly Certificate[], trust: TrustAnchors): Authority {
  const trusted = trust.authorities(certificate.issuerKey)
  const brought = others
    .filter((other) => other.ca && other.subjectKey === certificate.issuerKey)
    .map((other) => ({ certificate: other, permits: undefined, crl: undefined, crlNeeded: false }))
  const candidates = [...trusted, ...brought]
  if (candidates.length === 0)
    throw refuse('unknown_authority', `The authority ${slashOf(certificate.issuer)} is not trusted here.`)
  const signer = candidates.find((candidate) =>
    isSigned({ ...certificate.signed, key: candidate.certificate.publicKey }),
  )
  if (signer) return signer
  checkSignature(certificate, candidates[0]!.certificate)
  throw refuse('bad_signature', `The signature of ${called(certificate)} is wrong.`)
}

function checkAuthority({ certificate }: Authority, depth: number, path: readonly Authority[]): void {
  const maySign = certificate.keyUsage === null || certificate.keyUsage.has(KEY_USAGE.keyCertSign)
  if (!certificate.ca || !maySign)
    throw refuse('no_authority', `${called(certificate)} may not issue certificates.`)
  // RFC 5280 §6.1: authorities that signed a new key for themselves do not count.
  const between = path
    .slice(0, depth)
    .filter((below) => below.certificate.issuerKey !== below.certificate.subjectKey)
  if (certificate.pathLength !== null && between.length > certificate.pathLength)
    throw refuse('path_too_long', `${called(certificate)} does not allow so many authorities below it.`)
}

/** The signing policy, and the name constraints of the authority for everything below it. */
function checkLimits(authority: Authority, subject: Certificate, path: readonly Authority[]): void {
  const { certificate, permits } = authority
  const allowed = permits?.(subject.subject) ?? path.at(-1)!.unlimited ?? false
  if (!allowed)
    throw refuse(
      'outside_namespace',
      permits
        ? `The signing policy of ${called(certificate)} does not include ${called(subject)}.`
        : `There is no signing policy for ${called(certificate)} here.`,
    )
  for (const { certificate: above } of path.slice(path.indexOf(authority))) {
    const { permitted, excluded } = above.nameConstraints ?? { permitted: [], excluded: [] }
    const within = (base: Name): boolean =>
      keyOf(subject.subject.slice(0, base.length)) === keyOf(base) && subject.subject.length >= base.length
    if (excluded.some(within) || (permitted.length > 0 && !permitted.some(within)))
      throw refuse('outside_namespace', `${called(above)} may not issue for ${called(subject)}.`)
  }
}

function checkRevocation(authority: Authority, subject: Certificate, trust: TrustAnchors, now: Date): void {
  const { certificate, crl, crlNeeded } = authority
  if (!crl) {
    if (crlNeeded)
      throw refuse(
        'revocation_unknown',
        `The list of revoked certificates of ${called(certificate)} is missing.`,
      )
    return
  }
  if (crl.revoked.has(subject.serial))
    throw refuse('revoked', `${called(subject)} was revoked by its authority.`)
  if (crlState(crl, now, trust.crlGraceMs) === 'expired')
    throw refuse(
      'revocation_unknown',
      `The list of revoked certificates of ${called(certificate)} is too old.`,
    )
}

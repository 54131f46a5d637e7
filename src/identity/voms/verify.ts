import { defineError } from '../../kernel/errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { type TrustAnchors, type VerifiedChain, verifyChain } from '../x509/chain.ts'
import { keyOf, slashOf } from '../x509/names.ts'
import { isSigned, isStrongSignature } from '../x509/signatures.ts'
import {
  type AttributeCertificate,
  type GenericAttribute,
  readAttributeCertificates,
  VOMS,
} from './attribute-certificate.ts'
import { matchesChain } from './contact-files.ts'
import { type Fqan, isOfVo, shortFqan } from './fqan.ts'
import type { VomsAuthorities } from './voms-directory.ts'

/** `details.reason` is stable; the message says what to do. */
export const attributesRefused = defineError('unauthenticated', 'attributes_refused')

export type AttributeRefusal =
  | 'unreadable'
  | 'unknown_authority'
  | 'bad_signature'
  | 'wrong_holder'
  | 'expired'
  | 'not_yet_valid'
  | 'wrong_target'
  | 'outside_vo'
  | 'unknown_critical_extension'
  | 'incomplete'

export interface AttributeTrust {
  readonly anchors: TrustAnchors
  readonly authorities: VomsAuthorities
}

/** What one authority says about the holder of a proxy. */
export interface VerifiedAttributes {
  readonly vo: string
  /** In the order they were asked for; the first is the primary one. */
  readonly fqans: readonly Fqan[]
  readonly attributes: readonly GenericAttribute[]
  readonly serial: string
  readonly expiresAt: Date
}

const SKEW_MS = 300_000

/**
 * The attributes of the VO that a proxy carries: in the certificate nearest to the leaf that carries any; those of other
 * VOs are passed over. Undefined when there are none; throws `attributes_refused` when there are and they do not count.
 * @param options.hosts names of this host, for certificates that are meant for some hosts only
 */
export async function verifyAttributes(
  chain: VerifiedChain,
  options: {
    readonly vo: string
    readonly trust: AttributeTrust
    readonly hosts: readonly string[]
    readonly now: Date
  },
): Promise<VerifiedAttributes | undefined> {
  if (!chain.attributes) return undefined
  const mine = read(chain.attributes).find(({ vo }) => vo === options.vo)
  if (!mine) return undefined
  await verifyAttributeCertificate(mine, chain.endEntity, options)
  const { vo, fqans, attributes, serial, notAfter } = mine
  return { vo, fqans, attributes, serial, expiresAt: notAfter }
}

/** Throws `attributes_refused` unless a known authority of its VO made it for this holder, for now and for here. */
export async function verifyAttributeCertificate(
  given: AttributeCertificate,
  holder: Certificate,
  options: { readonly trust: AttributeTrust; readonly hosts: readonly string[]; readonly now: Date },
): Promise<void> {
  const { trust, hosts, now } = options
  await checkAuthority(given, trust, now)
  // Servers write the holder's own name where RFC 5755 has its issuer's.
  const name = keyOf(given.holder.name)
  if (given.holder.serial !== holder.serial || (name !== holder.subjectKey && name !== holder.issuerKey))
    throw refuse(
      'wrong_holder',
      `The attributes belong to another certificate than ${slashOf(holder.subject)}.`,
    )
  if (given.notBefore.getTime() > now.getTime() + SKEW_MS)
    throw refuse(
      'not_yet_valid',
      `The attributes count from ${given.notBefore.toISOString()} on; check the clocks.`,
    )
  if (given.notAfter.getTime() < now.getTime() - SKEW_MS)
    throw refuse('expired', `The attributes ended at ${given.notAfter.toISOString()}; make a new proxy.`)
  if (given.targets && !given.targets.some((target) => hosts.includes(target.toLowerCase())))
    throw refuse('wrong_target', `The attributes are meant for ${given.targets.join(', ')} only.`)
  const stranger = given.fqans.find((fqan) => !isOfVo(fqan, given.vo))
  if (stranger)
    throw refuse('outside_vo', `The authority of ${given.vo} may not grant ${shortFqan(stranger)}.`)
  const unknown = given.critical.find((oid) => oid !== VOMS.targets)
  if (unknown)
    throw refuse(
      'unknown_critical_extension',
      `The attributes have the critical extension ${unknown}, unknown here.`,
    )
  // Nothing would tell that it was withdrawn.
  if (!given.noRevocation)
    throw refuse('incomplete', 'The attributes do not say that they cannot be revoked, as those of VOMS do.')
}

async function checkAuthority(given: AttributeCertificate, trust: AttributeTrust, now: Date): Promise<void> {
  const { vo, host, certificates, issuer, signed } = given
  const [authority] = certificates
  if (!authority)
    throw refuse('unknown_authority', 'The attributes do not bring the certificate they are signed with.')
  const known = await trust.authorities.of(vo, host)
  if (!known.some((chain) => matchesChain(chain, certificates)))
    throw refuse(
      'unknown_authority',
      `${slashOf(authority.subject)} is not known here as an authority of ${vo} at ${host}; its .lsc file is missing or old.`,
    )
  const verified = verifyChain(certificates, { trust: trust.anchors, now })
  if (verified.endEntity !== authority || keyOf(issuer) !== authority.subjectKey)
    throw refuse(
      'unknown_authority',
      'The attributes name another authority than the one whose certificate they bring.',
    )
  if (
    given.authorityKeyId !== null &&
    authority.subjectKeyId !== null &&
    given.authorityKeyId !== authority.subjectKeyId
  )
    throw refuse('unknown_authority', 'The attributes name another key of their authority.')
  if (!isStrongSignature(signed.oid) || !isSigned({ ...signed, key: authority.publicKey }))
    throw refuse('bad_signature', `The signature of the attributes of ${vo} is wrong.`)
}

function read(extension: Buffer): AttributeCertificate[] {
  try {
    return readAttributeCertificates(extension)
  } catch (cause) {
    throw attributesRefused(
      (cause as Error).message,
      { reason: 'unreadable' satisfies AttributeRefusal },
      cause,
    )
  }
}

function refuse(reason: AttributeRefusal, message: string): Error {
  return attributesRefused(message, { reason })
}

import type { KeyObject } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'
import { type Certificate, KEY_USAGE } from './certificate.ts'
import * as der from './der.ts'
import { keyOf, readName } from './names.ts'
import { pemBlocks } from './pem.ts'
import { algorithmOf, isSigned, signatureOidOf, signedStructure } from './signatures.ts'

export const invalidCrl = defineError('invalid', 'invalid_crl')

/** The certificates an authority has taken back. */
export interface Crl {
  readonly issuerKey: string
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Hexadecimal serial numbers, as encoded. */
  readonly revoked: ReadonlySet<string>
  readonly signed: { readonly oid: string; readonly content: Buffer; readonly signature: Buffer }
}

const MOST_BYTES = 20 * 1024 * 1024
const CRL_NUMBER = '2.5.29.20'
const REASON = '2.5.29.21'
const AUTHORITY_KEY_ID = '2.5.29.35'
const MINUTES_5 = 300_000

/**
 * Reads a list, DER or PEM; throws `invalid_crl`. Lists that cover only a part, add to another list or speak for
 * other authorities say so by a critical extension and are refused: half a list would look like a whole one.
 */
export function readCrl(bytes: Uint8Array): Crl {
  const text = Buffer.from(bytes.subarray(0, 11)).toString('latin1')
  const block = text.startsWith('-----BEGIN ')
    ? pemBlocks(Buffer.from(bytes).toString('latin1')).find(({ label }) => label === 'X509 CRL')
    : undefined
  try {
    return crlOf(der.parse(block?.der ?? bytes, MOST_BYTES))
  } catch (cause) {
    throw invalidCrl(
      `This is no usable list of revoked certificates: ${(cause as Error).message}`,
      undefined,
      cause,
    )
  }
}

function crlOf(whole: der.Element): Crl {
  const outer = der.fieldsOf(whole)
  const tbs = outer.next(der.TAG.sequence)
  const algorithm = outer.next()
  const signature = der.readBits(outer.next())
  outer.end()
  const fields = der.fieldsOf(tbs)
  const version = fields.optional(der.TAG.integer)
  if (version && der.readSmall(version) !== 1) throw der.invalidDer('Its version is wrong.')
  if (!fields.next().bytes.equals(algorithm.bytes)) throw der.invalidDer('It names two signature algorithms.')
  const issuer = readName(fields.next())
  const thisUpdate = der.readTime(fields.next())
  const next = fields.optional(der.TAG.utcTime) ?? fields.optional(der.TAG.generalizedTime)
  if (!next) throw der.invalidDer('It does not say when the next one comes.')
  const entries = fields.optional(der.TAG.sequence)
  const extensions = fields.optional(der.context(0))
  fields.end()
  if (extensions) refuseCritical(der.inside(extensions), [CRL_NUMBER, AUTHORITY_KEY_ID])
  return {
    issuerKey: keyOf(issuer),
    thisUpdate,
    nextUpdate: der.readTime(next),
    revoked: new Set(entries ? der.childrenOf(entries).map(serialOf) : []),
    signed: { oid: signatureOidOf(algorithm), content: tbs.bytes, signature },
  }
}

function serialOf(entry: der.Element): string {
  const fields = der.fieldsOf(entry)
  const serial = fields.next(der.TAG.integer)
  fields.next()
  const extensions = fields.optional(der.TAG.sequence)
  fields.end()
  if (extensions) refuseCritical(extensions, [REASON])
  return serial.content.toString('hex')
}

function refuseCritical(list: der.Element, understood: readonly string[]): void {
  for (const extension of der.childrenOf(list)) {
    const fields = der.fieldsOf(extension)
    const oid = der.readOid(fields.next())
    const critical = fields.optional(der.TAG.boolean)
    if (critical && der.readBoolean(critical) && !understood.includes(oid))
      throw der.invalidDer(`It has the critical extension ${oid}.`)
  }
}

/** Whether the list was signed by that authority. */
export function isCrlOf(crl: Crl, authority: Certificate): boolean {
  const mayList = authority.keyUsage === null || authority.keyUsage.has(KEY_USAGE.crlSign)
  return (
    mayList && crl.issuerKey === authority.subjectKey && isSigned({ ...crl.signed, key: authority.publicKey })
  )
}

/** `late`: a newer list is due, but within the grace; `expired`: it counts no longer. */
export function crlState(crl: Crl, now: Date, graceMs: number): 'fresh' | 'late' | 'expired' {
  if (crl.thisUpdate.getTime() > now.getTime() + MINUTES_5) return 'expired'
  if (now < crl.nextUpdate) return 'fresh'
  return now.getTime() < crl.nextUpdate.getTime() + graceMs ? 'late' : 'expired'
}

/** A list of ours, DER. Serial numbers in hexadecimal. */
export function writeCrl(list: {
  readonly issuer: Certificate
  readonly key: KeyObject
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: readonly { readonly serial: string; readonly at: Date }[]
}): Buffer {
  const entries = list.revoked.map(({ serial, at }) =>
    der.sequence(der.element(der.TAG.integer, Buffer.from(serial, 'hex')), der.time(at)),
  )
  const extension = (oid: string, value: Buffer) => der.sequence(der.oid(oid), der.octets(value))
  const keyId = list.issuer.subjectKeyId
  return signedStructure(
    der.sequence(
      der.integer(1),
      algorithmOf(list.key),
      list.issuer.subjectDer,
      der.time(list.thisUpdate),
      der.time(list.nextUpdate),
      ...(entries.length > 0 ? [der.sequence(Buffer.concat(entries))] : []),
      der.explicit(
        0,
        der.sequence(
          ...(keyId
            ? [
                extension(
                  AUTHORITY_KEY_ID,
                  der.sequence(der.element(der.context(0, false), Buffer.from(keyId, 'hex'))),
                ),
              ]
            : []),
          extension(CRL_NUMBER, der.integer(list.number)),
        ),
      ),
    ),
    list.key,
  )
}

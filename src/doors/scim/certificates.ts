import {
  type CertificateRecord,
  type CertificateWish,
  keyOf,
  nameFromText,
  readCertificates,
} from '../../identity/index.ts'
import { badValue } from './errors.ts'

type Resource = Record<string, unknown>

/** A certificate as IAM shows it. */
export function certificateView(record: CertificateRecord, first: boolean): Resource {
  const { subjectRfc, issuerRfc, pem, label, createdAt, updatedAt } = record
  return {
    ...(label && { display: label }),
    primary: first,
    subjectDn: subjectRfc,
    ...(issuerRfc && { issuerDn: issuerRfc }),
    ...(pem && { pemEncodedCertificate: pem }),
    created: createdAt.toISOString(),
    lastModified: updatedAt.toISOString(),
    hasProxyCertificate: false,
  }
}

/** What a client says of a certificate: the thing itself, or the names in it. */
export function certificateWish(element: Resource): CertificateWish {
  const { subjectDn, issuerDn, pemEncodedCertificate: pem, display } = element
  const label = typeof display === 'string' && display ? { label: display.slice(0, 200) } : {}
  if (typeof pem === 'string' && pem) {
    const [certificate, more] = readCertificates(pem)
    if (!certificate || more) throw badValue('pemEncodedCertificate is one certificate.')
    return { subject: certificate.subject, issuer: certificate.issuer, certificate, ...label }
  }
  if (typeof subjectDn !== 'string' || !subjectDn) {
    throw badValue('A certificate has a subjectDn, or is given by pemEncodedCertificate.')
  }
  const issuer = typeof issuerDn === 'string' && issuerDn ? nameFromText(issuerDn) : null
  return { subject: nameFromText(subjectDn), issuer, ...label }
}

/** Whether two elements mean one certificate: subjects agree, and issuers as far as both say one. */
export function sameCertificate(a: Resource, b: Resource): boolean {
  const [one, two] = [certificateWish(a), certificateWish(b)]
  if (keyOf(one.subject) !== keyOf(two.subject)) return false
  return !one.issuer || !two.issuer || keyOf(one.issuer) === keyOf(two.issuer)
}

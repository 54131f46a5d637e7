import { invalidCertificate, readCertificates } from './certificate.ts'
import { oldSubjectHash, subjectHash } from './names.ts'
import { signingPolicyText } from './signing-policy.ts'

/** An authority as it belongs into a trust directory (X509_CERT_DIR). */
export interface PublishedAuthority {
  readonly certificatePem: string
  /** What it may sign, slash form with `*`. */
  readonly subjects: readonly string[]
  /** Where it lists the certificates it took back. */
  readonly crlUrl?: string
}

/**
 * The files of an authority as grid clients look for them: its certificate under the hash of its subject, a signing
 * policy, and the address of its list of revoked certificates. Older clients look for the older hash.
 */
export function trustFiles({ certificatePem, subjects, crlUrl }: PublishedAuthority): {
  readonly name: string
  readonly content: string
}[] {
  const [authority] = readCertificates(certificatePem)
  if (!authority) throw invalidCertificate('The authority has no certificate.')
  const { subject, subjectDer } = authority
  return [subjectHash(subject), oldSubjectHash(subjectDer)].flatMap((hash) => [
    { name: `${hash}.0`, content: certificatePem },
    { name: `${hash}.signing_policy`, content: signingPolicyText(subject, subjects) },
    ...(crlUrl ? [{ name: `${hash}.crl_url`, content: `${crlUrl}\n` }] : []),
  ])
}

/** Where a record came from; a source of names such as `voms:demo` may have its own word. */
export type CertificateOrigin = 'presented' | 'administrator' | 'issued' | 'gridmap' | 'rucio' | (string & {})

export type CertificateState = 'LINKED' | 'SUSPENDED' | 'UNLINKED'

/** A certificate of a person, robot or host, as the grid knows it: a pair of names, and more once it was seen. */
export interface CertificateRecord {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  /** Slash form: `/C=JP/O=Grid/CN=Mika`. */
  readonly subject: string
  /** `CN=Mika,O=Grid,C=JP`. */
  readonly subjectRfc: string
  /** Null when only the subject is known. */
  readonly issuer: string | null
  readonly issuerRfc: string | null
  readonly pem: string | null
  readonly notAfter: Date | null
  readonly label: string
  readonly origin: CertificateOrigin
  /** Known by names from a list only; the certificate was never seen. */
  readonly weak: boolean
  readonly state: CertificateState
  readonly reason: string
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly seenAt: Date | null
}

export interface CertificateRequest {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly account: string
  readonly subject: string
  readonly issuer: string
  readonly state: 'PENDING' | 'APPROVED' | 'REJECTED'
  readonly createdAt: Date
  readonly decidedAt: Date | null
  readonly decidedBy: string | null
  readonly motivation: string
}

/** The authority of this grid that issues short-lived certificates to people, robots and gateways. */
export interface IssuingAuthority {
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** Where its list of revoked certificates is published. */
  readonly crlUrl: string
  /** Trust directory that its list is written into, besides being published. */
  readonly trustDirectory: string
  /** Longest life of a certificate, hours. */
  readonly longestHours: number
}

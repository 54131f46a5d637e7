/** Certificates as facts and decisions, without any database: for server, gateways and the command line alike. */
export { type Certificate, invalidCertificate, readCertificate, readCertificates } from './certificate.ts'
export {
  type Authority,
  certificateRefused,
  claimedChain,
  isProxy,
  type ProxyKind,
  type TrustAnchors,
  type VerifiedChain,
  verifyChain,
} from './chain.ts'
export { type CrlRefresh, crlWorker, refreshCrls } from './crl-refresh.ts'
export {
  hasPlainSlash,
  invalidName,
  keyOf,
  type Name,
  nameFromRfc4514,
  nameFromSlash,
  nameFromText,
  rfc4514Of,
  sameName,
  slashOf,
} from './names.ts'
export { pemBlocks, toPem } from './pem.ts'
export { CLIENT_CERTIFICATE_OPTIONS, type ClientCertificates, clientCertificates } from './tls.ts'
export { openTrustDirectory, type TrustDirectory, trustFromPem } from './trust.ts'
export { type PublishedAuthority, trustFiles } from './trust-files.ts'

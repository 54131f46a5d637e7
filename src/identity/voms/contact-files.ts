import type { Certificate } from '../x509/certificate.ts'
import { keyOf, nameFromSlash, slashOf } from '../x509/names.ts'

/** Names, in the slash form, of a certificate and of whoever issued it. */
export interface CertificateNames {
  readonly subject: string
  readonly issuer: string
}

/** Which certificates may sign for a VO at a host: from the authority's own towards the root. */
export type AuthorityChain = readonly CertificateNames[]

const NEXT_CHAIN = /^-+ ?NEXT CHAIN ?-+$/
const MOST_LINES = 200

/** Reads an `.lsc` file: pairs of subject and issuer, several chains if there is a separator; throws invalid_name. */
export function parseLsc(text: string): AuthorityChain[] {
  const chains: CertificateNames[][] = [[]]
  let subject: string | undefined
  for (const line of text.split(/\r?\n/, MOST_LINES).map((raw) => raw.trim().replace(/^"(.*)"$/, '$1'))) {
    if (line === '' || line.startsWith('#')) continue
    if (NEXT_CHAIN.test(line)) {
      chains.push([])
      subject = undefined
      continue
    }
    nameFromSlash(line)
    if (subject === undefined) subject = line
    else {
      chains.at(-1)!.push({ subject, issuer: line })
      subject = undefined
    }
  }
  return chains.filter((chain) => chain.length > 0)
}

export const formatLsc = (chain: AuthorityChain): string =>
  chain.map(({ subject, issuer }) => `${subject}\n${issuer}\n`).join('')

export const namesOf = ({ subject, issuer }: Certificate): CertificateNames => ({
  subject: slashOf(subject),
  issuer: slashOf(issuer),
})

/** Whether the certificates are those of the chain, each by both its names and none left over. */
export function matchesChain(chain: AuthorityChain, certificates: readonly Certificate[]): boolean {
  return (
    chain.length === certificates.length &&
    chain.every(({ subject, issuer }, i) => {
      const certificate = certificates[i]!
      return (
        keyOf(nameFromSlash(subject)) === certificate.subjectKey &&
        keyOf(nameFromSlash(issuer)) === certificate.issuerKey
      )
    })
  )
}

/** Where an authority of a VO answers: one line of a `vomses` file. */
export interface VomsContact {
  readonly alias: string
  readonly host: string
  readonly port: number
  /** Of the certificate it shows in TLS, in the slash form. */
  readonly subject: string
  readonly vo: string
}

export const formatVomses = ({ alias, host, port, subject, vo }: VomsContact): string =>
  `${[alias, host, String(port), subject, vo].map((word) => `"${word}"`).join(' ')}\n`

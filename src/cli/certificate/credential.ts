import { createPrivateKey, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Certificate, readCertificates } from '../../identity/x509/certificate.ts'
import { spkiOf } from '../../identity/x509/signatures.ts'
import { defineError } from '../../kernel/errors.ts'
import type { Credential } from '../client/trust.ts'
import { askPassword } from '../session/password.ts'

const unusable = defineError('invalid', 'unusable_certificate')

export interface CertificateOptions {
  readonly cert?: string
  readonly key?: string
}

export interface OwnCertificate {
  /** The certificate first, then those that made it, if it is a proxy. */
  readonly chain: readonly [Certificate, ...Certificate[]]
  readonly key: KeyObject
}

/**
 * A certificate of one's own and its key: the files named, X509_USER_CERT and X509_USER_KEY, or those in ~/.globus. A
 * key that has a passphrase asks for it.
 */
export async function ownCertificate(
  options: CertificateOptions,
  environment: NodeJS.ProcessEnv,
): Promise<OwnCertificate> {
  const globus = join(homedir(), '.globus')
  const cert = options.cert ?? environment.X509_USER_CERT ?? join(globus, 'usercert.pem')
  // A file that holds both, such as a proxy, is named once.
  const key =
    options.key ??
    (options.cert ? keyBeside(options.cert) : (environment.X509_USER_KEY ?? join(globus, 'userkey.pem')))
  const [first, ...others] = readCertificates(textOf(cert))
  if (!first) throw unusable(`${cert} holds no certificate.`)
  const opened = await openKey(key)
  if (!spkiOf(opened).equals(first.spki))
    throw unusable(`The key in ${key} is not that of the certificate in ${cert}.`)
  return { chain: [first, ...others], key: opened }
}

/** The same for a connection that presents it. */
export function credentialOf({ chain, key }: OwnCertificate): Credential {
  const pem = chain.map(
    ({ der }) => `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`,
  )
  return { cert: pem.join(''), key: key.export({ format: 'pem', type: 'pkcs8' }) as string }
}

const keyBeside = (cert: string): string =>
  textOf(cert).includes('PRIVATE KEY-----') ? cert : cert.replace(/cert/i, 'key')

function textOf(file: string): string {
  if (!existsSync(file))
    throw unusable(`There is no file ${file}.`, {
      hint: 'Name your certificate and key: --cert FILE --key FILE',
    })
  return readFileSync(file, 'utf8')
}

async function openKey(file: string): Promise<KeyObject> {
  const text = textOf(file)
  if ((statSync(file).mode & 0o077) !== 0)
    throw unusable(`The key ${file} may be read by others.`, { hint: `Close it first: chmod 600 ${file}` })
  const pem = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(text)?.[0]
  if (!pem) throw unusable(`${file} holds no private key.`)
  const sealed = /ENCRYPTED/.test(pem)
  const passphrase = sealed ? await askPassword(`Passphrase of ${file}: `) : undefined
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase !== undefined && { passphrase }) })
  } catch (cause) {
    throw unusable(
      sealed ? `The passphrase does not open ${file}.` : `${file} cannot be read as a key.`,
      {},
      cause,
    )
  }
}

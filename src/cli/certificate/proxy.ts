import { generateKeyPair, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { readAttributeCertificates } from '../../identity/voms/attribute-certificate.ts'
import { shortFqan } from '../../identity/voms/fqan.ts'
import {
  type Certificate,
  EXTENSION,
  readCertificate,
  readCertificates,
} from '../../identity/x509/certificate.ts'
import { isLimitedProxy, isProxy } from '../../identity/x509/chain.ts'
import { writeCsr } from '../../identity/x509/csr.ts'
import { nameFromSlash, slashOf } from '../../identity/x509/names.ts'
import { makeProxy, proxyFile } from '../../identity/x509/proxy.ts'
import { spkiOf } from '../../identity/x509/signatures.ts'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { spanText } from '../terminal.ts'
import { type CertificateOptions, type OwnCertificate, ownCertificate } from './credential.ts'
import { proxyPlace, writeSecret } from './place.ts'

const noProxy = defineError('missing', 'no_proxy')
const ended = defineError('unauthenticated', 'proxy_ended')
const invalidHours = defineError('invalid', 'invalid_hours')

export interface ProxyOptions extends SharedOptions {
  readonly hours?: string
  readonly limited?: boolean
  readonly out?: string
  readonly voms?: readonly string[]
}

const DEFAULT_HOURS = 12
const newKey = async (): Promise<KeyObject> =>
  (await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })).privateKey

/** A short-lived certificate from the grid, by the token at hand, and a proxy of it in the usual place. */
export async function create(options: ProxyOptions): Promise<void> {
  const hours = hoursOf(options)
  await withClient(options, async (client) => {
    const key = await newKey()
    const csr = writeCsr(key, nameFromSlash('/O=Kumihimo/CN=request'))
    const vo = encodeURIComponent(client.place.vo)
    const issued = await client.json<{ certificate: string }>('POST', `/iam/${vo}/certificates/issue`, {
      json: { csr, hours },
    })
    const [certificate] = readCertificates(issued.certificate)
    const own = { chain: [certificate!], key } as const
    await write(own, hours, options, await attributesOf(client, own, hours, options))
  })
}

/** A proxy of a certificate of one's own; no server is asked but for attributes. */
export async function init(options: ProxyOptions & CertificateOptions): Promise<void> {
  const hours = hoursOf(options)
  const own = await ownCertificate(options, process.env)
  if (!options.voms) return write(own, hours, options)
  await withClient(options, async (client) =>
    write(own, hours, options, await attributesOf(client, own, hours, options)),
  )
}

async function attributesOf(
  client: GridClient,
  own: OwnCertificate,
  hours: number,
  options: ProxyOptions,
): Promise<Buffer | undefined> {
  if (!options.voms) return undefined
  const { attributesFor } = await import('../voms/attributes.ts')
  const { extension, warnings } = await attributesFor(client, own, options.voms, hours)
  if (!options.quiet) for (const warning of warnings) process.stderr.write(`${warning}\n`)
  return extension
}

async function write(
  own: OwnCertificate,
  hours: number,
  options: ProxyOptions,
  attributes?: Buffer,
): Promise<void> {
  const now = new Date()
  const [certificate, ...others] = own.chain
  if (certificate.notAfter <= now)
    throw ended(`${slashOf(certificate.subject)} ended at ${certificate.notAfter.toISOString()}.`, {
      hint: 'Renew your certificate first.',
    })
  const key = await newKey()
  const signer = { certificate, key: own.key }
  const proxy = makeProxy({
    signer,
    spki: spkiOf(key),
    hours,
    limited: options.limited ?? false,
    now,
    attributes,
  })
  const file = options.out ?? proxyPlace(process.env)
  // Authorities are the reader's to know; a chain may hold them at its end.
  const issuers = [certificate, ...others].filter(({ ca }) => !ca)
  writeSecret(file, proxyFile(proxy, key, issuers))
  const facts = factsOf([readCertificate(proxy), ...issuers], now)
  show(
    options,
    { file, ...facts },
    () => `Proxy of ${facts.identity} in ${file}, valid for ${spanText(facts.secondsLeft)}.`,
  )
}

/** What the proxy in the usual place says of itself. */
export async function info(options: SharedOptions & { file?: string }): Promise<void> {
  const file = options.file ?? proxyPlace(process.env)
  if (!existsSync(file)) throw noProxy(`There is no proxy in ${file}.`, { hint: 'Make one with: kumi proxy' })
  const certificates = readCertificates(readFileSync(file, 'utf8'))
  if (certificates.length === 0)
    throw noProxy(`${file} holds no certificate.`, { hint: 'Make a proxy with: kumi proxy' })
  const facts = factsOf(certificates, new Date())
  show(options, { file, ...facts }, () =>
    [
      ['subject', facts.subject],
      ['issuer', facts.issuer],
      ['identity', facts.identity],
      ['type', facts.type],
      ['strength', facts.strength],
      ['path', file],
      ...facts.voms.flatMap(({ vo, fqans, expires }) => [
        ['VO', `${vo} until ${expires}`],
        ...fqans.map((fqan) => ['has', fqan]),
      ]),
      ['time left', facts.secondsLeft > 0 ? spanText(facts.secondsLeft) : 'none: it has ended'],
    ]
      .map(([name, value]) => `${name!.padEnd(9)} : ${value}`)
      .join('\n'),
  )
  if (facts.secondsLeft <= 0) throw ended('The proxy has ended.', { hint: 'Make a new one with: kumi proxy' })
}

function factsOf(certificates: readonly Certificate[], now: Date) {
  const leaf = certificates[0]!
  const person = certificates.find((certificate) => !isProxy(certificate)) ?? certificates.at(-1)!
  const limited = certificates.some(isLimitedProxy)
  const { modulusLength, namedCurve } = leaf.publicKey.asymmetricKeyDetails ?? {}
  const kind =
    leaf.proxy?.kind === 'rfc3820' ? 'RFC 3820 proxy' : isProxy(leaf) ? 'older proxy' : 'certificate'
  const ends = Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))
  return {
    subject: slashOf(leaf.subject),
    issuer: slashOf(leaf.issuer),
    identity: slashOf(person.subject),
    type: `${kind}${limited ? ', limited' : ''}`,
    strength: modulusLength ? `${modulusLength} bits RSA` : String(namedCurve),
    voms: attributesIn(certificates),
    expires: new Date(ends).toISOString(),
    secondsLeft: Math.floor((ends - now.getTime()) / 1000),
  }
}

/** What VOMS says in the proxy nearest to the leaf that carries any; whether it counts is for storages to judge. */
function attributesIn(certificates: readonly Certificate[]) {
  const found = certificates.find(({ extensions }) => extensions.has(EXTENSION.vomsAttributes))
  if (!found) return []
  return readAttributeCertificates(found.extensions.get(EXTENSION.vomsAttributes)!.value).map(
    ({ vo, fqans, notAfter }) => ({ vo, fqans: fqans.map(shortFqan), expires: notAfter.toISOString() }),
  )
}

function hoursOf({ hours }: ProxyOptions): number {
  const wanted = hours === undefined ? DEFAULT_HOURS : Number(hours)
  if (!(wanted > 0 && wanted <= 8784)) throw invalidHours(`"${hours}" is no number of hours.`)
  return wanted
}

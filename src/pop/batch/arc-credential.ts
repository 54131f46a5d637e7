import { createPrivateKey, type KeyObject } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { requestedKey } from '../../identity/x509/csr.ts'
import { type Certificate, pemBlocks, readCertificates, slashOf, toPem } from '../../identity/x509/index.ts'
import { makeProxy } from '../../identity/x509/proxy.ts'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import { badCluster } from './errors.ts'
import type { PlaceToken } from './kind.ts'

/** What opens a computing element. */
export interface ArcCredential {
  /** To be shown with each request; undefined: the certificate says it all. */
  token(): Promise<string | undefined>
  /** The certificate for the connection; another `key`: it was renewed. */
  certificate(): { readonly key: string; readonly identity?: { readonly cert: string; readonly key: string } }
  /** Signs a proxy for a computing element's request; undefined: there is nothing to sign with. */
  sign(request: string, now: Date): string | undefined
  /** Who it makes of the gateway and until when, in words. Throws bad_cluster. */
  describe(): Promise<string>
}

/** Time for a pilot to wait and run; it is renewed long before. */
const DELEGATED_HOURS = 24 * 7

/** Tokens that the server makes for this place alone; each is used until a third of its time is left. */
export function tokenCredential(
  tokenOf: () => Promise<PlaceToken>,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): ArcCredential {
  let held: { token: string; until: number } | undefined
  async function token(): Promise<string> {
    const now = clock.now().getTime()
    if (held && held.until > now) return held.token
    const { token, expiresAt } = await tokenOf()
    held = { token, until: now + ((expiresAt.getTime() - now) * 2) / 3 }
    return token
  }
  return {
    token,
    certificate: () => ({ key: '' }),
    sign: () => undefined,
    async describe() {
      const claims = JSON.parse(
        Buffer.from((await token()).split('.')[1] ?? '', 'base64url').toString(),
      ) as Readonly<Record<string, unknown>>
      return `tokens of ${claims.iss} for ${claims.aud}, subject ${claims.sub}, scopes ${claims.scope}`
    },
  }
}

interface Held {
  readonly text: string
  readonly chain: readonly Certificate[]
  readonly key: KeyObject
}

/** A certificate or proxy with its key in a file that only the gateway may read; a new file counts at once. */
export function certificateCredential(file: string): ArcCredential {
  let held: Held | undefined
  function read(): Held {
    const text = textOf(file)
    if (held?.text === text) return held
    const key = pemBlocks(text).find(({ label }) => label.endsWith('PRIVATE KEY'))
    const chain = readCertificates(text)
    if (!key || chain.length === 0)
      throw badCluster(`${file} needs a certificate or proxy with its key, without a password, in PEM.`)
    held = { text, chain, key: createPrivateKey(key.text) }
    return held
  }
  return {
    token: async () => undefined,
    certificate() {
      const { text } = read()
      const pem = (wanted: (label: string) => boolean) =>
        pemBlocks(text).flatMap((block) => (wanted(block.label) ? [block.text] : []))
      const identity = {
        cert: pem((label) => label === 'CERTIFICATE').join(''),
        key: pem((label) => label.endsWith('PRIVATE KEY')).join(''),
      }
      return { key: text, identity }
    },
    sign(request, now) {
      const { chain, key } = read()
      const { spki } = requestedKey(request)
      const signer = { certificate: chain[0]!, key }
      const proxy = makeProxy({ signer, spki, hours: DELEGATED_HOURS, now })
      return [proxy, ...chain.map(({ der }) => der)].map((der) => toPem('CERTIFICATE', der)).join('')
    },
    async describe() {
      const [own] = read().chain
      return `${slashOf(own!.subject)}, until ${own!.notAfter.toISOString()}`
    },
  }
}

function textOf(file: string): string {
  try {
    if ((lstatSync(file).mode & 0o077) !== 0)
      throw badCluster(`Others may read ${file}, or it is a link. Make it a file with the permissions 0600.`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    throw badCluster(
      `There is no ${file} at the gateway: put a certificate or proxy with its key there (PEM, 0600).`,
    )
  }
}

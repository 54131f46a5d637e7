import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createCa, issueHostCertificate } from '../../src/identity/x509/certificates.ts'

/** An issuer of somebody else, with an authority of its own: jose makes its keys and signs; `/iam/` ends with a slash. */
export async function foreignIssuer() {
  const now = new Date()
  const authority = await createCa({ name: 'Abroad', now })
  const tls = await issueHostCertificate({ ca: authority, names: ['localhost'], ips: ['127.0.0.1'], now })
  const keys = new Map<string, Awaited<ReturnType<typeof makeKey>>>()
  const addKey = async (kid: string, alg = 'ES256') => keys.set(kid, await makeKey(kid, alg))
  await addKey('k1')
  let asked = 0
  const said: { about?: object } = {}
  const server = createServer({ cert: tls.certificatePem, key: tls.privateKeyPem }, (request, answer) => {
    asked++
    answer.setHeader('content-type', 'application/json')
    if (request.url === '/iam/jwk') {
      return void answer.end(JSON.stringify({ keys: [...keys.values()].map(({ jwk }) => jwk) }))
    }
    if (request.url !== '/iam/.well-known/openid-configuration') answer.statusCode = 404
    answer.end(JSON.stringify({ issuer, jwks_uri: `${base}/iam/jwk`, ...said.about }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const base = `https://localhost:${port}`
  const issuer = `${base}/iam/`
  return {
    ...{ issuer, base, keys, addKey, said, ca: authority.certificatePem, host: `localhost:${port}` },
    asked: () => asked,
    /** A token of this issuer; each claim may be said otherwise. */
    token: (
      claims: Record<string, unknown>,
      { kid = 'k1', alg = keys.get(kid)!.alg, header = {} as object } = {},
    ) => {
      const at = Math.floor(Date.now() / 1000)
      const whole = {
        ...{ iss: issuer, sub: 'someone', aud: 'https://storage.example', jti: crypto.randomUUID() },
        ...{ iat: at - 60, nbf: at - 60, exp: at + 600, 'wlcg.ver': '1.0' },
        ...claims,
      }
      return new SignJWT(whole).setProtectedHeader({ alg, kid, ...header }).sign(keys.get(kid)!.privateKey)
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export type ForeignIssuer = Awaited<ReturnType<typeof foreignIssuer>>

async function makeKey(kid: string, alg: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

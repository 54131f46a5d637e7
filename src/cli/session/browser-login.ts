import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defineError } from '../../kernel/errors.ts'
import type { Place } from '../client/home.ts'
import { askIssuer, CLIENT_ID, type IssuerFacts, LOGIN_SCOPE, type TokenAnswer } from '../client/issuer.ts'

const refused = defineError('denied', 'login_refused')
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'open', linux: 'xdg-open' }

/** With a browser on this machine: authorization code with a proof key, answered to a port of our own (RFC 8252). */
export async function byBrowser(place: Place): Promise<TokenAnswer> {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const facts = await askIssuer<IssuerFacts>(place, '.well-known/openid-configuration')
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  const asked = {
    ...{ response_type: 'code', client_id: CLIENT_ID, redirect_uri: redirectUri, scope: LOGIN_SCOPE, state },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }
  const address = `${facts.authorization_endpoint}?${new URLSearchParams(asked)}`
  try {
    process.stderr.write(
      `Confirm the login in your browser; if it does not open by itself, open\n${address}\n`,
    )
    openBrowser(address)
    const code = await callback(server, { state, issuer: facts.issuer })
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }
    return await askIssuer(place, 'token', form)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** The code that the browser brings back; anything that does not carry our state is answered 404 and ignored. */
function callback(
  server: ReturnType<typeof createServer>,
  expected: { state: string; issuer: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    server.on('request', (request: IncomingMessage, answer: ServerResponse) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
      if (pathname !== '/callback' || searchParams.get('state') !== expected.state) {
        answer.writeHead(404).end()
        return
      }
      const code = searchParams.get('code')
      // Which issuer answers is part of the answer (RFC 9207).
      const good = code !== null && searchParams.get('iss') === expected.issuer
      const words = good
        ? 'You are logged in; this window can be closed.\nログインしました。このウィンドウは閉じてかまいません。\n'
        : 'The login was refused; this window can be closed.\nログインは拒否されました。このウィンドウは閉じてかまいません。\n'
      answer.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(words)
      if (good) resolve(code)
      else reject(refused('The login was refused at the browser.'))
    })
  })
}

function openBrowser(address: string): void {
  const opener = OPENERS[process.platform]
  if (!opener || (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY))
    return
  const child = spawn(opener, [address], { stdio: 'ignore', detached: true })
  // Without one the person opens the address by hand.
  child.on('error', () => undefined)
  child.unref()
}

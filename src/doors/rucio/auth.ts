import { isGridError } from '../../kernel/errors.ts'
import { type Call, type Endpoint, get, headerOf } from './endpoint.ts'
import { cannotAuthenticate } from './errors.ts'
import { rucioDate } from './wire.ts'

const REFUSED: Readonly<Record<string, string>> = {
  gss: 'Kerberos login is not offered here; use userpass, or a bearer token.',
  ssh_challenge_token: 'Login by SSH key is not offered here; use userpass, or a bearer token.',
  ssh: 'Login by SSH key is not offered here; use userpass, or a bearer token.',
  saml: 'SAML login is not offered here; use userpass, or a bearer token.',
  oidc: 'Get a token from the issuer and give it as BEARER_TOKEN or BEARER_TOKEN_FILE; this door starts no browser login.',
  oidc_redirect: 'This door starts no browser login; give a token as BEARER_TOKEN.',
  oidc_code: 'This door starts no browser login; give a token as BEARER_TOKEN.',
}

export const authEndpoints: readonly Endpoint[] = [
  get('/auth/userpass', 'public', userpass),
  get('/auth/x509', 'public', x509),
  get('/auth/x509_proxy', 'public', x509),
  get('/auth/validate', 'public', validate),
  // Nothing is refreshed here; empty headers say so and the client goes on with the token it has.
  get('/auth/oidc_refresh', 'public', ({ reply }) =>
    reply.header('x-rucio-auth-token', '').header('x-rucio-auth-token-expires', '').send(''),
  ),
  ...Object.entries(REFUSED).map(([way, message]) =>
    get(`/auth/${way}`, 'public', () => {
      throw cannotAuthenticate(message)
    }),
  ),
]

async function userpass(call: Call): Promise<unknown> {
  const username = headerOf(call, 'x-rucio-username')
  const password = headerOf(call, 'x-rucio-password')
  const account = headerOf(call, 'x-rucio-account')
  if (!username || !password) throw cannotAuthenticate('User name and password are needed.')
  try {
    const login = await call.deps.identity.login({
      vo: call.vo,
      username,
      password,
      peer: call.request.ip,
      ...(account && { account }),
    })
    return loggedIn(call, login)
  } catch (error) {
    const accounts = isGridError(error, 'account_choice_needed') ? error.details.accounts : undefined
    if (!Array.isArray(accounts)) throw error
    return call.reply
      .code(206)
      .header('x-rucio-auth-accounts', accounts.join(','))
      .header('content-type', 'application/json')
      .send(Buffer.from(JSON.stringify(accounts)))
  }
}

/** A certificate and a proxy are the same to us: the chain of the connection says which it is. */
async function x509(call: Call): Promise<unknown> {
  const chain = await call.request.clientCertificate()
  if (!chain) throw cannotAuthenticate('No client certificate came with this request.')
  const account = headerOf(call, 'x-rucio-account')
  const login = await call.deps.identity.loginByCertificate({
    vo: call.vo,
    chain,
    ...(account && { account }),
  })
  return loggedIn(call, login)
}

function loggedIn({ reply }: Call, login: { token: string; expiresAt: Date; account: string }): unknown {
  return reply
    .header('x-rucio-auth-token', login.token)
    .header('x-rucio-auth-token-expires', rucioDate(login.expiresAt))
    .header('x-rucio-auth-account', login.account)
    .header('cache-control', 'no-store')
    .header('content-type', 'application/octet-stream')
    .send('')
}

function validate(call: Call): unknown {
  const { kind, account, subject, expiresAt, vo } = call.principal
  if (kind === 'anonymous') throw cannotAuthenticate('The token is missing, expired or not ours.')
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
  const text = `{'account': ${quoted(account ?? '')}, 'identity': ${quoted(subject)}, 'lifetime': ${quoted(expiresAt.toISOString().slice(0, 19))}, 'vo': ${quoted(vo)}}`
  return call.reply.header('content-type', 'text/plain').send(text)
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineError } from '../../kernel/errors.ts'
import { refreshed } from '../client/fresh-token.ts'
import { findPlace } from '../client/home.ts'
import { withClient } from '../client/http.ts'
import { findToken, tokenClaims } from '../client/token.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { adminToken } from '../grid/login.ts'

const noSession = defineError('unauthenticated', 'no_session')

interface TokenOptions extends SharedOptions {
  readonly raw?: boolean
  readonly scope?: readonly string[]
  readonly aud?: readonly string[]
}

export async function whoami(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const account = await client.json<Record<string, unknown>>('GET', '/rucio/accounts/whoami')
    const { place } = client
    show(options, { ...account, server: place.server, vo: place.vo }, () =>
      [
        `${account.account} (${account.account_type}, ${account.status})`,
        `${place.vo} at ${place.server}`,
      ].join('\n'),
    )
  })
}

export async function token(options: TokenOptions): Promise<void> {
  if (options.scope || options.aud) return narrowToken(options)
  const home = findPlace({ ...options, server: options.server ?? 'https://localhost' }, process.env).home
  const found = findToken(home, process.env)
  if (options.raw) {
    process.stdout.write(`${found.token}\n`)
    return
  }
  const claims = tokenClaims(found.token)
  show(options, { source: found.source, claims }, () =>
    [
      `from        ${found.source}`,
      ...Object.entries(claims).map(([name, value]) => `${name.padEnd(11)} ${claimText(name, value)}`),
    ].join('\n'),
  )
}

/** A token for one purpose and one place, and nothing else on standard output. */
async function narrowToken(options: TokenOptions): Promise<void> {
  const place = findPlace(options, process.env)
  const wish = {
    ...(options.scope && { scope: options.scope.join(' ') }),
    ...(options.aud && { audience: options.aud.join(' ') }),
  }
  const answer = await refreshed(place, process.env, wish)
  const client = join(place.home, 'client')
  // On the machine of the grid its own password serves as well.
  const own = !answer && existsSync(join(client, 'password'))
  const login = { client, port: Number(new URL(place.server).port), vo: place.vo }
  const text = answer?.access_token ?? (own ? await adminToken(login, wish) : undefined)
  if (!text) throw noSession('There is no login to make a token from.')
  if (options.json) show(options, { token: text, claims: tokenClaims(text) }, () => '')
  else process.stdout.write(`${text}\n`)
}

function claimText(name: string, value: unknown): string {
  if (['exp', 'iat', 'nbf', 'auth_time'].includes(name) && typeof value === 'number')
    return new Date(value * 1000).toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

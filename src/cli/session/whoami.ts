import { findPlace } from '../client/home.ts'
import { withClient } from '../client/http.ts'
import { findToken, tokenClaims } from '../client/token.ts'
import { type SharedOptions, show } from '../common-options.ts'

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

export async function token(options: SharedOptions & { raw?: boolean }): Promise<void> {
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

function claimText(name: string, value: unknown): string {
  if (['exp', 'iat', 'nbf', 'auth_time'].includes(name) && typeof value === 'number')
    return new Date(value * 1000).toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

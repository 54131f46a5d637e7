import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { findPlace } from '../client/home.ts'
import { withClient } from '../client/http.ts'
import { findToken, homeTokenFile, storeToken, tokenClaims } from '../client/token.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { askPassword } from './password.ts'

interface LoginOptions extends SharedOptions {
  readonly vo?: string
  readonly tokenFile?: string
  readonly passwordFile?: string
}

export async function login(name: string | undefined, options: LoginOptions): Promise<void> {
  await withClient(options, async (client) => {
    const username = name ?? process.env.USER ?? 'admin'
    const vo = options.vo ?? client.place.vo
    const password = options.passwordFile
      ? (await readFile(options.passwordFile, 'utf8')).trim()
      : await askPassword(`Password of ${username} at ${new URL(client.place.server).host}: `)
    const answer = await client.json<{ access_token: string }>(
      'POST',
      `/iam/${encodeURIComponent(vo)}/token`,
      {
        anonymous: true,
        form: { grant_type: 'password', client_id: 'kumi-cli', username, password },
      },
    )
    const file = options.tokenFile ?? homeTokenFile(client.place.home)
    await storeToken(file, answer.access_token)
    const expires = Number(tokenClaims(answer.access_token).exp)
    const until = Number.isFinite(expires) ? new Date(expires * 1000).toISOString() : null
    show(
      options,
      { username, vo, file, expires: until },
      () => `Logged in as ${username} (${vo})${until ? ` until ${until}` : ''}.`,
    )
    if (options.tokenFile) return
    const used = findToken(client.place.home, process.env)
    if (used.source !== file && !options.quiet)
      process.stderr.write(`Note: the token in ${used.source} comes first and stays in use.\n`)
  })
}

export async function logout(options: SharedOptions & { tokenFile?: string }): Promise<void> {
  const file = options.tokenFile ?? homeTokenFile(findPlace(options, process.env).home)
  const was = existsSync(file)
  await rm(file, { force: true })
  show(options, { file, removed: was }, () => (was ? 'Logged out.' : 'You were not logged in.'))
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineError, type GridError } from '../../kernel/errors.ts'

const loginFailed = defineError('unauthenticated', 'login_failed')
const serverAway = defineError('transient', 'server_unreachable')

interface GridLogin {
  readonly client: string
  readonly port: number
  readonly vo: string
}

/** A fresh token of the home's own administrator, who is whoever can read the home. */
export async function adminToken(
  { client, port, vo }: GridLogin,
  wish: { scope?: string; audience?: string } = {},
): Promise<string> {
  const body = new URLSearchParams({
    ...wish,
    grant_type: 'password',
    client_id: 'kumi-cli',
    username: 'admin',
    password: readFileSync(join(client, 'password'), 'utf8').trim(),
  })
  const url = `http://127.0.0.1:${port}/iam/${vo}/token`
  const answer = await fetch(url, { method: 'POST', body }).catch((error) => {
    throw serverAway('The server cannot be reached; look at it with: kumi status', {}, error)
  })
  if (!answer.ok) throw await failure(answer)
  return ((await answer.json()) as { access_token: string }).access_token
}

/** A link that logs a browser in once, within ten minutes. */
export async function oneTimeLink(login: GridLogin, token: string): Promise<string> {
  const { port, vo } = login
  const answer = await fetch(`http://127.0.0.1:${port}/iam/${vo}/one-time-code`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  if (!answer.ok) throw await failure(answer)
  const { code } = (await answer.json()) as { code: string }
  return `http://localhost:${port}/#/login?code=${code}`
}

async function failure(answer: Response): Promise<GridError> {
  if (answer.status >= 500) return serverAway(`The server is not ready (HTTP ${answer.status}); try again.`)
  return loginFailed(
    `The server refused the login of admin (HTTP ${answer.status}): ${(await answer.text()).slice(0, 200)}`,
  )
}

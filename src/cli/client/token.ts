import { randomUUID } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defineError } from '../../kernel/errors.ts'

const openToken = defineError('invalid', 'token_file_open')
const noToken = defineError('unauthenticated', 'no_token')
const badToken = defineError('unauthenticated', 'bad_token')

export interface FoundToken {
  readonly token: string
  /** The variable or file it came from. */
  readonly source: string
}

export function homeTokenFile(home: string): string {
  return join(home, 'client', 'token')
}

/** Finds the bearer token in the places and the order the field has agreed on, the home's own file last. */
export function findToken(
  home: string,
  environment: NodeJS.ProcessEnv,
  uid = process.getuid?.() ?? 0,
): FoundToken {
  if (environment.BEARER_TOKEN?.trim()) {
    return { token: environment.BEARER_TOKEN.trim(), source: 'BEARER_TOKEN' }
  }
  if (environment.BEARER_TOKEN_FILE) {
    const found = readTokenFile(environment.BEARER_TOKEN_FILE)
    if (!found)
      throw noToken(`BEARER_TOKEN_FILE names ${environment.BEARER_TOKEN_FILE}, which holds no token.`)
    return found
  }
  const runtime = environment.XDG_RUNTIME_DIR
  const places = [...(runtime ? [join(runtime, `bt_u${uid}`)] : []), `/tmp/bt_u${uid}`, homeTokenFile(home)]
  for (const place of places) {
    const found = readTokenFile(place)
    if (found) return found
  }
  throw noToken('You are not logged in.')
}

/** The token in a file; undefined when there is none. Refuses a file that others can read. */
export function readTokenFile(file: string): FoundToken | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (!stat?.isFile()) return undefined
  if ((stat.mode & 0o077) !== 0)
    throw openToken(`Other users can read the token in ${file}; it is not used.`, {
      hint: `If it is still secret: chmod 600 ${file}   otherwise log in anew.`,
    })
  const owner = process.getuid?.()
  if (owner !== undefined && owner !== 0 && stat.uid !== owner)
    throw openToken(`The token file ${file} belongs to somebody else; it is not used.`)
  const token = readFileSync(file, 'utf8').trim()
  return token ? { token, source: file } : undefined
}

/** Stores a token so that the file is never half written and never readable by others. */
export async function storeToken(file: string, token: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // A name of its own: several tokens may be on their way at once, and a killed program leaves its own behind.
  const fresh = `${file}.${randomUUID()}.new`
  try {
    await writeFile(fresh, `${token}\n`, { mode: 0o600, flag: 'wx' })
    await rename(fresh, file)
  } finally {
    await rm(fresh, { force: true })
  }
}

/** What a token says of itself; its signature is the server's business. */
export function tokenClaims(token: string): Record<string, unknown> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8'))
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>
  } catch (error) {
    throw badToken('The stored token is not a token.', {}, error)
  }
  throw badToken('The stored token is not a token.')
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken } from '../grid/login.ts'
import type { Place } from './home.ts'
import { homeTokenFile, readTokenFile, storeToken, tokenClaims } from './token.ts'

/** A token that ends sooner is not worth using. */
const LEFT_SECONDS = 120

/**
 * Whoever can read the home of a grid is its administrator: the password lies there. So on the machine of the grid
 * nobody has to log in by hand, or again after an hour; a token from the environment or `kumi login` goes first.
 */
export async function refreshHomeToken(place: Place, environment: NodeJS.ProcessEnv): Promise<void> {
  if (environment.BEARER_TOKEN?.trim() || environment.BEARER_TOKEN_FILE) return
  const client = join(place.home, 'client')
  if (!existsSync(join(client, 'password'))) return
  const file = homeTokenFile(place.home)
  const kept = readTokenFile(file)
  if (kept && secondsLeft(kept.token) > LEFT_SECONDS) return
  // Of somebody else's making: an ordinary account that logged in by hand has to do so again.
  if (kept && tokenClaims(kept.token).kumi_account !== 'admin') return
  const port = Number(new URL(place.server).port)
  await storeToken(file, await adminToken({ client, port, vo: place.vo })).catch(() => undefined)
}

function secondsLeft(token: string): number {
  const { exp } = tokenClaims(token)
  return typeof exp === 'number' ? exp - Date.now() / 1000 : 0
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isGridError } from '../../kernel/errors.ts'
import { adminToken } from '../grid/login.ts'
import type { Place } from './home.ts'
import { askIssuer, type TokenAnswer } from './issuer.ts'
import { forgetSession, keepSession, keptSession } from './kept-session.ts'
import { homeTokenFile, readTokenFile, storeToken, tokenClaims } from './token.ts'

/** A token that ends sooner is not worth using. */
const LEFT_SECONDS = 120

/**
 * Sees to it that the kept token lasts: by the refresh token of `kumi login`, else, on the machine of the grid, by its
 * own password. Whoever can read the home of a grid is its administrator, so there nobody has to log in by hand. A
 * token from the environment goes first and is left alone.
 */
export async function keepFresh(place: Place, environment: NodeJS.ProcessEnv): Promise<void> {
  if (environment.BEARER_TOKEN?.trim() || environment.BEARER_TOKEN_FILE) return
  const file = homeTokenFile(place.home)
  const kept = readTokenFile(file)
  if (kept && secondsLeft(kept.token) > LEFT_SECONDS) return
  if (keptSession(place, environment)) {
    const fresh = await refreshed(place, environment).catch(() => undefined)
    if (fresh) return storeToken(file, fresh.access_token)
  }
  const client = join(place.home, 'client')
  if (!existsSync(join(client, 'password'))) return
  // Of somebody else's making: an ordinary account that logged in by hand has to do so again.
  if (kept && tokenClaims(kept.token).kumi_account !== 'admin') return
  const port = Number(new URL(place.server).port)
  await storeToken(file, await adminToken({ client, port, vo: place.vo })).catch(() => undefined)
}

/**
 * A token by the kept refresh token, narrowed to what is named; undefined when there is no session, or none any more.
 * Two programs that refresh at once get the same successor, so neither loses its session.
 */
export async function refreshed(
  place: Place,
  environment: NodeJS.ProcessEnv,
  wish: { scope?: string; audience?: string } = {},
): Promise<TokenAnswer | undefined> {
  const token = keptSession(place, environment)
  if (!token) return undefined
  const form = { grant_type: 'refresh_token', refresh_token: token, ...wish }
  try {
    const answer = await askIssuer<TokenAnswer>(place, 'token', form)
    if (answer.refresh_token) await keepSession(place, environment, answer.refresh_token)
    return answer
  } catch (error) {
    if (!isGridError(error, 'invalid_grant')) throw error
    await forgetSession(place, environment)
    return undefined
  }
}

function secondsLeft(token: string): number {
  const { exp } = tokenClaims(token)
  return typeof exp === 'number' ? exp - Date.now() / 1000 : 0
}

import { rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Place } from './home.ts'
import { readTokenFile, storeToken } from './token.ts'

/** Where the refresh token of a login is kept: below the user's own configuration, one file for each issuer. */
export function sessionFile({ server, vo }: Place, environment: NodeJS.ProcessEnv): string {
  const base = environment.XDG_CONFIG_HOME || join(homedir(), '.config')
  return join(base, 'kumi', 'sessions', `${new URL(server).host.replace(':', '_')}_${vo}`)
}

/** The refresh token; undefined when there is no session. Refuses a file that others can read. */
export function keptSession(place: Place, environment: NodeJS.ProcessEnv): string | undefined {
  return readTokenFile(sessionFile(place, environment))?.token
}

export function keepSession(
  place: Place,
  environment: NodeJS.ProcessEnv,
  refreshToken: string,
): Promise<void> {
  return storeToken(sessionFile(place, environment), refreshToken)
}

export function forgetSession(place: Place, environment: NodeJS.ProcessEnv): Promise<void> {
  return rm(sessionFile(place, environment), { force: true })
}

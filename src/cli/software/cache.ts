import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where this account keeps what it fetched and published, on this machine. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kumi', 'software')
}

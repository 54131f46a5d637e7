import type { Context } from '../context.ts'
import { tooManyLogins } from '../errors.ts'
import * as store from './login.store.ts'
import { createTurnstile } from './turnstile.ts'

/** Failures are counted over this long. */
const LOGIN_WINDOW_MS = 300_000

export interface Limits {
  /** Runs the attempt within the limit of this key; counts the failure if it fails for a wrong secret. */
  within<T>(key: string, most: number, attempt: () => Promise<T>): Promise<T>
}

/** Errors of somebody who guesses. */
const GUESSES: readonly unknown[] = ['login_failed', 'user_code_wrong', 'password_reset_missing']

/** Slows down guessing, over all processes. Throws login_rate_limited. */
export function createLimits({ db, log, now }: Context): Limits {
  const turnstile = createTurnstile()
  return {
    within(key, most, attempt) {
      const since = new Date(now().getTime() - LOGIN_WINDOW_MS)
      const refuse = () => {
        log.warn({ limit: key }, 'too many failed logins')
        throw tooManyLogins('Too many failed logins; wait five minutes.', {
          retryAfterSeconds: LOGIN_WINDOW_MS / 1000,
        })
      }
      return turnstile.pass(key, { most, failures: () => store.failuresOf(db, key, since), refuse }, () =>
        attempt().catch(async (error) => {
          if (GUESSES.includes(error?.code)) await store.countFailure(db, key, since, now())
          throw error
        }),
      )
    },
  }
}

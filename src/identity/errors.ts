import { defineError } from '../kernel/errors.ts'

/** The token is malformed, forged, expired, revoked or meant for somebody else. */
export const invalidToken = defineError('unauthenticated', 'invalid_token')
export const notAuthenticated = defineError('unauthenticated', 'not_authenticated')
export const loginFailed = defineError('unauthenticated', 'login_failed')
/** The identity maps to several accounts and none was named; `details.accounts` lists them. */
export const accountChoiceNeeded = defineError('unauthenticated', 'account_choice_needed')
export const tooManyLogins = defineError('exhausted', 'login_rate_limited')
export const accountSuspended = defineError('denied', 'account_suspended')
export const denied = defineError('denied', 'denied')
export const invalidScope = defineError('invalid', 'invalid_scope')
export const invalidClient = defineError('unauthenticated', 'invalid_client')
export const invalidAccount = defineError('invalid', 'invalid_account')
export const accountMissing = defineError('missing', 'account_missing')
export const accountExists = defineError('conflict', 'account_exists')
export const identityExists = defineError('conflict', 'identity_exists')
export const identityMissing = defineError('missing', 'identity_missing')
export const voMissing = defineError('missing', 'vo_missing')
export const groupMissing = defineError('missing', 'group_missing')
export const invalidGroup = defineError('invalid', 'invalid_group')
export const clientMissing = defineError('missing', 'client_missing')
export const keysUnavailable = defineError('transient', 'issuer_keys_unavailable')
export const sealBroken = defineError('fatal', 'seal_broken')

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
/** The scope or group is not for this person. */
export const accessDenied = defineError('denied', 'access_denied')
/** The code, device code, refresh token or subject token is of no use. */
export const invalidGrant = defineError('invalid', 'invalid_grant')
/** RFC 8707: the audience asked for may not be had. */
export const invalidTarget = defineError('invalid', 'invalid_target')
export const unauthorizedClient = defineError('invalid', 'unauthorized_client')
/** RFC 8628 §3.5 */
export const authorizationPending = defineError('invalid', 'authorization_pending')
export const slowDown = defineError('invalid', 'slow_down')
export const expiredToken = defineError('invalid', 'expired_token')
/** RFC 7591 §3.2.2 */
export const invalidClientMetadata = defineError('invalid', 'invalid_client_metadata')
export const invalidRedirectUri = defineError('invalid', 'invalid_redirect_uri')
export const clientExists = defineError('conflict', 'client_exists')
export const interactionOver = defineError('missing', 'interaction_over')
export const userCodeWrong = defineError('missing', 'user_code_wrong')
export const tooManyCodes = defineError('exhausted', 'too_many_codes')
export const policyMissing = defineError('missing', 'policy_missing')
export const policyExists = defineError('conflict', 'policy_exists')
export const invalidPolicy = defineError('invalid', 'invalid_policy')
export const sessionMissing = defineError('missing', 'session_missing')
export const grantMissing = defineError('missing', 'grant_missing')
export const invalidRequest = defineError('invalid', 'invalid_request')
export const invalidPassword = defineError('invalid', 'invalid_password')
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

import { defineError } from '../kernel/errors.ts'

export const ruleNotFound = defineError('missing', 'rule_not_found')
export const duplicateRule = defineError('conflict', 'duplicate_rule')
export const ruleLocked = defineError('conflict', 'rule_locked')
export const invalidRule = defineError('invalid', 'invalid_rule')
export const insufficientTargets = defineError('conflict', 'insufficient_target_rses')
export const copyProtected = defineError('conflict', 'replica_protected')
export const quotaExceeded = defineError('exhausted', 'insufficient_account_limit')

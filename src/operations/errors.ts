import { defineError } from '../kernel/errors.ts'

export const ruleMissing = defineError('missing', 'operations.rule_missing')
export const transferMissing = defineError('missing', 'operations.transfer_missing')
export const siteMissing = defineError('missing', 'operations.site_missing')
export const notAtSite = defineError('invalid', 'operations.not_at_site')

import { defineError } from '../kernel/errors.ts'

export const ruleMissing = defineError('missing', 'operations.rule_missing')
export const transferMissing = defineError('missing', 'operations.transfer_missing')
export const siteMissing = defineError('missing', 'operations.site_missing')
export const notAtSite = defineError('invalid', 'operations.not_at_site')
export const cardMissing = defineError('missing', 'operations.card_missing')
export const cardClosed = defineError('conflict', 'operations.card_closed')
export const entityMissing = defineError('missing', 'operations.entity_missing')
export const badState = defineError('invalid', 'operations.bad_state')
export const badShift = defineError('invalid', 'operations.bad_shift')
export const shiftMissing = defineError('missing', 'operations.shift_missing')
export const shiftRuns = defineError('conflict', 'operations.shift_runs')

import { defineError } from '../kernel/errors.ts'

/** Every error of moving bytes carries `party` and, where a peer answered, `status` in its details. */
export const noSource = defineError('missing', 'no_source')
export const noProgress = defineError('transient', 'no_progress')
export const arrivedDifferent = defineError('invalid', 'arrived_different')
export const arrivedMissing = defineError('missing', 'arrived_missing')
export const noProtocol = defineError('fatal', 'no_protocol')
export const destinationChanged = defineError('conflict', 'destination_changed')
export const transferExpired = defineError('fatal', 'transfer_expired')
export const noSuchTransfer = defineError('missing', 'transfer_not_found')
export const filesNotArrived = defineError('conflict', 'files_not_arrived')

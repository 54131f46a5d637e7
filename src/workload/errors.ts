import { defineError } from '../kernel/errors.ts'

export const jobMissing = defineError('missing', 'job_not_found')
export const invalidJob = defineError('invalid', 'invalid_job')
export const invalidJdl = defineError('invalid', 'invalid_jdl')
export const invalidSearch = defineError('invalid', 'invalid_search')
export const jobInState = defineError('conflict', 'job_in_state')
/** Somebody else holds the job now, or nobody: stop, and throw away what you have of it. */
export const attemptOver = defineError('conflict', 'attempt_over')
export const requestDiffers = defineError('conflict', 'request_differs')
export const pilotMissing = defineError('missing', 'pilot_not_found')
export const pilotOver = defineError('conflict', 'pilot_over')
export const pilotExists = defineError('conflict', 'pilot_exists')
export const resourceExists = defineError('conflict', 'resource_exists')
export const resourceMissing = defineError('missing', 'resource_not_found')
export const noDestination = defineError('fatal', 'no_destination')
export const outputNotPromised = defineError('conflict', 'output_not_promised')
export const limitMissing = defineError('missing', 'limit_not_found')

import { defineError } from '../kernel/errors.ts'

export const invalidFlow = defineError('invalid', 'invalid_raw_flow')
export const flowMissing = defineError('missing', 'raw_flow_not_found')
export const runMissing = defineError('missing', 'raw_run_not_found')
/** It was declared before as something else. */
export const rawConflict = defineError('conflict', 'raw_file_differs')
/** The data acquisition has said how many files the run has. */
export const runClosed = defineError('conflict', 'raw_run_closed')

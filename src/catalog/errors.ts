import { defineError } from '../kernel/errors.ts'

export const invalidName = defineError('invalid', 'invalid_name')
export const invalidInput = defineError('invalid', 'invalid_input')
export const invalidExpression = defineError('invalid', 'invalid_rse_expression')
export const noRseMatches = defineError('invalid', 'no_rse_matches')
export const invalidFilter = defineError('invalid', 'invalid_filter')
export const invalidMetadata = defineError('invalid', 'invalid_metadata')
export const searchTooSlow = defineError('exhausted', 'search_too_slow')

export const scopeNotFound = defineError('missing', 'scope_not_found')
export const scopeExists = defineError('conflict', 'scope_exists')

export const rseNotFound = defineError('missing', 'rse_not_found')
export const rseExists = defineError('conflict', 'rse_exists')
export const rseNotEmpty = defineError('conflict', 'rse_not_empty')
export const attributeNotFound = defineError('missing', 'rse_attribute_not_found')
export const protocolNotFound = defineError('missing', 'rse_protocol_not_found')
export const protocolExists = defineError('conflict', 'rse_protocol_exists')
export const limitNotFound = defineError('missing', 'rse_limit_not_found')
export const distanceNotFound = defineError('missing', 'rse_distance_not_found')

export const didNotFound = defineError('missing', 'did_not_found')
export const didExists = defineError('conflict', 'did_exists')
/** The name was used once and deleted; names are never used again. */
export const nameUsedBefore = defineError('conflict', 'name_used_before')
export const fileConsistencyMismatch = defineError('conflict', 'file_consistency_mismatch')
export const duplicateContent = defineError('conflict', 'duplicate_content')
export const contentNotFound = defineError('missing', 'content_not_found')
export const unsupportedOperation = defineError('conflict', 'unsupported_operation')
export const collectionClosed = defineError('conflict', 'collection_closed')
export const collectionMonotonic = defineError('conflict', 'collection_monotonic')
export const wouldMakeCycle = defineError('conflict', 'would_make_cycle')
export const keyNotFound = defineError('missing', 'metadata_key_not_found')

export const replicaNotFound = defineError('missing', 'replica_not_found')
export const replicaExists = defineError('conflict', 'replica_exists')
export const replicaStateConflict = defineError('conflict', 'replica_state_conflict')

import { defineError } from '../kernel/errors.ts'

export const badYaml = defineError('invalid', 'bad_yaml')
/** Its details hold every problem with line and field. */
export const invalidDefinition = defineError('invalid', 'invalid_definition')
export const productionMissing = defineError('missing', 'production_not_found')
export const productionExists = defineError('conflict', 'production_exists')
/** The order does not fit the state it is in. */
export const productionInState = defineError('conflict', 'production_in_state')
/** What a job made is not what was asked for; nothing of it is kept. */
export const outputRefused = defineError('invalid', 'output_refused')

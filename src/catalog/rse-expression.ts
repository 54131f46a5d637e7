import type { Rse } from './types.ts'

/** The RSEs an expression means. Throws invalid_rse_expression (with position) or no_rse_matches. */
export function matchRses(rses: readonly Rse[], expression: string): Rse[] {
  throw new Error('unfinished')
}

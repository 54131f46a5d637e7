import { dirname } from 'node:path'

/** Directory of the compiled program, `dist/src`. */
export const programDirectory = dirname(dirname(import.meta.dirname))

import { linkSync, lstatSync } from 'node:fs'

/** A file that may be in the store, and where a tree wants it; nowhere when it is to be a file of its own. */
export interface Wanted {
  readonly kept: string
  readonly size: number
  readonly at?: string | undefined
}

export type LinkResult = 'linked' | 'kept' | 'absent'

/** Links what is in the store already. */
export const linkWork = (files: readonly Wanted[]): LinkResult[] =>
  files.map(({ kept, size, at }) => {
    if (sizeOf(kept) !== size) return 'absent'
    try {
      return at !== undefined && link(kept, at) ? 'linked' : 'kept'
    } catch (error) {
      // Given up in this moment by somebody who cleans.
      if (sizeOf(kept) === undefined) return 'absent'
      throw error
    }
  })

const sizeOf = (file: string): number | undefined => lstatSync(file, { throwIfNoEntry: false })?.size

/** False where the store is on another file system, or a file has as many links as it can. */
export function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP'].includes((error as { code?: string }).code ?? ''))
      return false
    throw error
  }
}

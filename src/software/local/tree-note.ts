import { existsSync, lstatSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

/** Says of a directory which tree it is; nothing else in it is ours to judge. */
export const NOTE = '.kumi-software.json'

export function readNote(directory: string): string | undefined {
  const file = join(directory, NOTE)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** When a tree was made or last wanted, in ms since 1970; of what is half made, when it was last changed. */
export const usedAt = (directory: string): number =>
  lstatSync(join(directory, NOTE), { throwIfNoEntry: false })?.mtimeMs ??
  lstatSync(directory, { throwIfNoEntry: false })?.ctimeMs ??
  Number.POSITIVE_INFINITY

/** What is not used for long goes: see `cleanStore`. */
export function sayUsed(directory: string, at = new Date()): void {
  try {
    utimesSync(join(directory, NOTE), at, at)
  } catch (error) {
    // A tree of somebody else, who looks after it.
    if (!['EPERM', 'EACCES', 'EROFS'].includes((error as { code?: string }).code ?? '')) throw error
  }
}

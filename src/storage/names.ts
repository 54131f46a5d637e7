import type { StoragePath } from './driver.ts'
import { badPath } from './errors.ts'

/** Names at the top that a client never sees in a listing; `.kumi` is not reachable at all. */
export const HIDDEN = new Set(['.kumi', '.trash'])

const LONGEST_NAME = 255

/** Throws `bad_path` unless each part means one entry of one directory and nothing else. */
export function checkPath(path: StoragePath): void {
  if (path[0] === '.kumi') throw badPath('This path is reserved.')
  for (const name of path) {
    const unsafe = name === '' || name === '.' || name === '..' || /[/\0]/.test(name)
    if (unsafe || Buffer.byteLength(name) > LONGEST_NAME)
      throw badPath('The path has a forbidden or too long part.')
  }
}

/** Whether `path` is `other` or lies below it. */
export const isWithin = (path: StoragePath, other: StoragePath): boolean =>
  path.length >= other.length && other.every((part, i) => part === path[i])

export const show = (path: StoragePath): string => `/${path.join('/')}`

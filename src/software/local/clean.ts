import { randomUUID } from 'node:crypto'
import { lstatSync, readdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { usedAt } from './tree-note.ts'

export interface Cleaned {
  readonly trees: readonly string[]
  readonly files: number
  readonly bytes: number
}

/** The end of the name of a tree that nobody wants. */
const GONE = '.old'

export interface CleanOptions {
  /** Where software is kept: `trees/`, `files/` and more below it. */
  readonly directory: string
  /** Trees, listings and notes that were not used since then go. */
  readonly before: Date
  /**
   * Files stay as long as no tree has them only since then, as one that is being made may be about to; without it they go
   * with their trees.
   */
  readonly looseBefore?: Date
  /** Only says what would go. */
  readonly dryRun?: boolean
}

/**
 * Gives up what nobody used for long: trees and the files that only they have, listings of catalogues, notes of what was
 * published. All of it comes again when it is wanted. Trees elsewhere keep their files, and what they share.
 */
export function cleanStore({ directory, before, looseBefore, dryRun = false }: CleanOptions): Cleaned {
  let [files, bytes] = [0, 0]
  const count = (size: number): void => {
    files++
    bytes += size
  }
  // Others may clean the same, as all pilots of a place do when they end: each says what it removed itself.
  const removes = (file: string): boolean => dryRun || removed(() => unlinkSync(file))
  const give = (file: string, size: number): void => {
    if (removes(file)) count(size)
  }

  const trees: string[] = []
  /** How many links to a file go with the trees. */
  const going = new Map<number, number>()
  for (const repository of inside(join(directory, 'trees')))
    for (const tree of inside(repository)) {
      if (usedAt(tree) >= before.getTime()) continue
      // Half a tree is nobody's: it goes from its place whole. What has gone so may be left of a clean that was ended.
      const gone = tree.endsWith(GONE)
      const moved = dryRun || gone ? tree : `${tree}.${randomUUID().slice(0, 8)}${GONE}`
      if (moved !== tree && !removed(() => renameSync(tree, moved))) continue
      if (!gone) trees.push(tree)
      for (const { file, ino, nlink, size } of filesBelow(moved)) {
        if (!removes(file)) continue
        if (nlink === 1) count(size)
        else going.set(ino, (going.get(ino) ?? 0) + 1)
      }
      if (!dryRun) removeDirectories(moved)
    }
  for (const { file, ino, nlink, size, ctimeMs } of filesBelow(join(directory, 'files'))) {
    const freed = going.get(ino) ?? 0
    const withTrees = freed > 0 && !looseBefore
    // An inode changes when it is linked, and when a tree gives it up.
    const long = freed === 0 && ctimeMs < (looseBefore ?? before).getTime()
    if (nlink - (dryRun ? freed : 0) === 1 && (withTrees || long)) give(file, size)
  }
  for (const kind of ['catalogs', 'published'])
    for (const { file, size, mtimeMs } of filesBelow(join(directory, kind)))
      if (mtimeMs < before.getTime()) give(file, size)
  return { trees, files, bytes }
}

/** False where another one was first, or still holds what is in it: that goes the next time. */
function removed(remove: () => void): boolean {
  try {
    remove()
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTEMPTY'].includes((error as { code?: string }).code ?? '')) return false
    throw error
  }
}

/** What is in a directory; nothing where there is none, or no more. */
function inside(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as { code?: string }).code ?? '')) return []
    throw error
  }
}

function* filesBelow(directory: string): Generator<Stats & { file: string }> {
  for (const file of inside(directory)) {
    const stats = lstatSync(file, { throwIfNoEntry: false })
    if (stats?.isDirectory()) yield* filesBelow(file)
    else if (stats) yield Object.assign(stats, { file })
  }
}

function removeDirectories(directory: string): void {
  for (const one of inside(directory))
    if (lstatSync(one, { throwIfNoEntry: false })?.isDirectory()) removeDirectories(one)
  removed(() => rmdirSync(directory))
}

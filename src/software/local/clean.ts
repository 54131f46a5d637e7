import { randomUUID } from 'node:crypto'
import { lstatSync, readdirSync, renameSync, rmSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { usedAt } from './tree-note.ts'

export interface Cleaned {
  readonly trees: readonly string[]
  readonly files: number
  readonly bytes: number
}

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
  const give = (file: string, size: number): void => {
    if (!dryRun) rmSync(file, { force: true })
    count(size)
  }

  const trees: string[] = []
  /** How many links to a file go with the trees. */
  const going = new Map<number, number>()
  for (const repository of inside(join(directory, 'trees')))
    for (const tree of inside(repository)) {
      if (usedAt(tree) >= before.getTime()) continue
      // Half a tree is nobody's: it goes from its place whole.
      const moved = dryRun ? tree : `${tree}.${randomUUID().slice(0, 8)}.old`
      if (!dryRun && !rename(tree, moved)) continue
      for (const { ino, nlink, size } of filesBelow(moved))
        if (nlink === 1) count(size)
        else going.set(ino, (going.get(ino) ?? 0) + 1)
      if (!dryRun) rmSync(moved, { recursive: true, force: true })
      trees.push(tree)
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

/** False where another one who cleans was first: all pilots of a place do when they end. */
function rename(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return false
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

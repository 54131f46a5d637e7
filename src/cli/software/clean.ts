import { cleanStore } from '../../software/local/clean.ts'
import { show, whole } from '../common-options.ts'
import { bytesText } from '../terminal.ts'
import { cacheDirectory } from './cache.ts'

const DAY_MS = 86_400_000

export interface CleanCommand {
  readonly unusedFor: string
  readonly store?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `kumi software clean`: room on this machine; asks no server. */
export function clean(options: CleanCommand): void {
  const { store: directory = cacheDirectory(), dryRun = false } = options
  const days = whole('--unused-for', options.unusedFor, 5)
  const done = cleanStore({ directory, before: new Date(Date.now() - days * DAY_MS), dryRun })
  const what = `${done.trees.length} trees and ${done.files} files (${bytesText(done.bytes)}) of ${directory}`
  const unused = days > 0 ? ` that were not used for ${days} days` : ''
  show(options, { directory, dryRun, ...done }, () =>
    dryRun ? `Would remove ${what}${unused}.` : `Removed ${what}${unused}.`,
  )
}

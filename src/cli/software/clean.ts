import { defineError } from '../../kernel/errors.ts'
import { cleanStore } from '../../software/local/clean.ts'
import { show } from '../common-options.ts'
import { bytesText } from '../terminal.ts'
import { cacheDirectory } from './cache.ts'

const badOption = defineError('invalid', 'bad_option')
const DAY_MS = 86_400_000

export interface CleanCommand {
  readonly unusedFor: string
  readonly store?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `kumi software clean`: room on this machine; asks no server. */
export function clean(options: CleanCommand): void {
  const { unusedFor: days, store: directory = cacheDirectory(), dryRun = false } = options
  if (!/^\d{1,5}$/.test(days)) throw badOption(`--unused-for needs a number of days, not "${days}".`)
  const done = cleanStore({ directory, before: new Date(Date.now() - Number(days) * DAY_MS), dryRun })
  const what = `${done.trees.length} trees and ${done.files} files (${bytesText(done.bytes)}) of ${directory}`
  const unused = Number(days) > 0 ? ` that were not used for ${days} days` : ''
  show(options, { directory, dryRun, ...done }, () =>
    dryRun ? `Would remove ${what}${unused}.` : `Removed ${what}${unused}.`,
  )
}

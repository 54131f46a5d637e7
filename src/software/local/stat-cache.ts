import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** What was published of a directory last time, so that only what changed is read again. */
export interface StatCache {
  readonly algorithm: string
  /** The revision after which the repository had exactly these entries. */
  readonly revision: number
  /** By path: what the file looked like, and its entry as a line. */
  readonly entries: ReadonlyMap<string, { readonly stamp: string; readonly line: string }>
}

/** A file may change twice within this time without its times showing it. */
const RACE_MS = 50

export function readStatCache(file: string): StatCache | undefined {
  try {
    const [head, ...lines] = readFileSync(file, 'utf8').split('\n')
    const { version, revision, algorithm } = JSON.parse(head!) as StatCache & { version: number }
    if (version !== 2 || !Number.isSafeInteger(revision)) return undefined
    const entries = new Map<string, { stamp: string; line: string }>()
    for (const text of lines) {
      if (text === '') continue
      const [path, stamp, line] = text.split('\t') as [string, string, string]
      entries.set(JSON.parse(path) as string, { stamp, line })
    }
    return { revision, algorithm, entries }
  } catch {
    // None, or one that a crash or another version left: everything is read again.
    return undefined
  }
}

/** `seenAt` is when the directory was looked at: what changed just before is looked at again next time. */
export function writeStatCache(
  file: string,
  { revision, algorithm }: Pick<StatCache, 'revision' | 'algorithm'>,
  entries: Iterable<{ path: string; stamp: string; line: string; changedAt: number }>,
  seenAt: number,
): void {
  const parts = [JSON.stringify({ version: 2, revision, algorithm })]
  for (const { path, stamp, line, changedAt } of entries)
    parts.push(`${JSON.stringify(path)}\t${changedAt > seenAt - RACE_MS ? '' : stamp}\t${line}`)
  mkdirSync(dirname(file), { recursive: true })
  const whole = `${file}.${process.pid}`
  writeFileSync(whole, `${parts.join('\n')}\n`)
  renameSync(whole, file)
}

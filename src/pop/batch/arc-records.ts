import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a gateway knows of a pilot at a computing element. */
export interface ArcRecord {
  readonly stamp: string
  /** The job; null: it was asked for, and no answer came. */
  readonly id: string | null
  /** Whether all its files are there: before that it does not begin. */
  readonly sent: boolean
  /** Why there is no job; empty: nothing speaks against it. */
  readonly refused: string
  /** When it was asked for, milliseconds. */
  readonly at: number
}

/** Records in a directory, each written whole before anybody acts on it. */
export function arcRecords(directory: string) {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const fileOf = (stamp: string) => join(directory, `${stamp}.json`)
  const read = (stamp: string) => JSON.parse(readFileSync(fileOf(stamp), 'utf8')) as ArcRecord
  return {
    all: (): ArcRecord[] =>
      readdirSync(directory)
        .filter((name) => name.endsWith('.json'))
        .map((name) => read(name.slice(0, -'.json'.length))),
    of: (stamp: string): ArcRecord | undefined => (existsSync(fileOf(stamp)) ? read(stamp) : undefined),
    write(record: ArcRecord): void {
      const file = fileOf(record.stamp)
      writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
      renameSync(`${file}.new`, file)
    },
    remove: (stamp: string): void => rmSync(fileOf(stamp), { force: true }),
  }
}

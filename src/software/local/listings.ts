import { hash as digest, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type ContentHash, textOf } from '../format/hash.ts'
import type { KeepListing, Listing } from '../reader/repository.ts'

/** Changes whenever what is kept has another form. */
const FORM = '1.json'
/** Longer ones take more memory than they spare time. */
const MOST_ENTRIES = 200_000

/**
 * Keeps listings of catalogues in a directory: a catalogue never changes under its hash, and reading one again takes ten
 * times as long as its listing. The first line is the SHA-256 of the rest; what is not whole is made anew.
 */
export function keptListings(directory: string): KeepListing {
  return async (hash, read) => {
    const file = fileOf(directory, hash)
    const kept = keptIn(file)
    if (kept) return kept
    const listing = await read()
    if (listing.entries.length <= MOST_ENTRIES) keep(file, listing)
    return listing
  }
}

function fileOf(directory: string, hash: ContentHash): string {
  const name = textOf(hash)
  return join(directory, name.slice(0, 2), `${name.slice(2)}.${FORM}`)
}

function keptIn(file: string): Listing | undefined {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch {
    return undefined
  }
  const end = bytes.indexOf('\n')
  const rest = bytes.subarray(end + 1)
  return bytes.toString('latin1', 0, end) === digest('sha256', rest)
    ? (JSON.parse(rest.toString()) as Listing)
    : undefined
}

/** A cache: where it cannot be written, all goes on without. */
function keep(file: string, listing: Listing): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  } catch {
    return
  }
  const unfinished = `${file}.${randomUUID()}`
  try {
    const text = JSON.stringify(listing)
    writeFileSync(unfinished, `${digest('sha256', text)}\n${text}`)
    renameSync(unfinished, file)
  } catch {
    rmSync(unfinished, { force: true })
  }
}

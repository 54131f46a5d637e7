import type { Did, Rse } from '../catalog/index.ts'

/** One copy of a file: where it lies or shall lie. */
export interface Place {
  readonly vo: string
  readonly rse: Rse
  readonly did: Did
  /** Explicit path; null where the RSE computes it from the name. */
  readonly path: string | null
}

/** What a file must be, as the catalogue says. */
export interface FileFacts {
  readonly bytes: bigint
  readonly adler32: string | null
  readonly md5: string | null
}

export interface CopyOrder {
  readonly source: Place
  readonly destination: Place
  /** True: whatever lies at the destination is replaced. */
  readonly overwrite: boolean
  readonly expected: FileFacts
  /** Bytes arrived so far. */
  readonly onProgress: (bytes: bigint) => void
  readonly signal: AbortSignal
}

/** What moves bytes between storages and looks at them. Holds no rows and decides nothing. */
export interface Mover {
  /** Resolves when the destination says the copy is complete; throws a GridError with `party` in its details. */
  copy(order: CopyOrder): Promise<void>
  /** Size and checksums as the storage tells them; undefined when there is no such file. */
  stat(place: Place, signal?: AbortSignal): Promise<FileFacts | undefined>
  close(): Promise<void>
}

/** Whether what was found is what was expected: equal size, no differing checksum, at least one equal if one is known. */
export function sameFile(expected: FileFacts, found: FileFacts): boolean {
  if (expected.bytes !== found.bytes) return false
  let compared = 0
  for (const kind of ['adler32', 'md5'] as const) {
    const [want, have] = [expected[kind], found[kind]]
    if (want === null || have === null) continue
    if (want !== have) return false
    compared++
  }
  return compared > 0 || (expected.adler32 === null && expected.md5 === null)
}

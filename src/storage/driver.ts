import type { Digests } from './digests.ts'

/** Decoded path segments below the root of a driver; `[]` is the root itself. */
export type StoragePath = readonly string[]

export interface Entry {
  readonly name: string
  readonly directory: boolean
  readonly size: number
  readonly modified: Date
}

export interface ByteRange {
  readonly start: number
  /** Inclusive, as in HTTP. */
  readonly end: number
}

export interface WriteOptions {
  /** False: an existing file stays and `already_exists` is thrown, also when two writers race. */
  readonly overwrite: boolean
  /** Exact size; a shorter or longer body is refused with `size_mismatch`. */
  readonly size?: number | undefined
  /** Compared before the file becomes visible; a difference is `checksum_mismatch`. */
  readonly expected?: Partial<Digests> | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Written extends Digests {
  readonly size: number
  /** False when a file was replaced. */
  readonly created: boolean
}

export interface CopyProgress {
  readonly bytes: number
  readonly remote?: string
}

/** A third-party copy: this driver's party fetches `source` itself. */
export interface CopyRequest {
  readonly source: string
  readonly path: StoragePath
  readonly overwrite: boolean
  /** Headers this party shall send to the source, e.g. its authorization. */
  readonly sourceHeaders: Readonly<Record<string, string>>
  readonly expected?: Partial<Digests> | undefined
  readonly onProgress?: (progress: CopyProgress) => void
  readonly signal?: AbortSignal | undefined
}

/** Per-call facts; drivers of remote storages need a token, local ones ignore it. */
export interface CallOptions {
  readonly token?: string
  readonly signal?: AbortSignal
}

/**
 * One storage, whatever it is made of. Paths are decoded and safe segments; an unsafe one is `bad_path`.
 * Every method may also throw `storage_failed` (local) or a `remote_*` error (remote).
 */
export interface StorageDriver {
  /** Facts of a file or directory; undefined when there is nothing. */
  stat(path: StoragePath, call?: CallOptions): Promise<Entry | undefined>
  /** Entries of a directory, by name. Errors: `no_such_file`, `not_a_directory`. */
  list(path: StoragePath, call?: CallOptions): Promise<Entry[]>
  /** The bytes, or a range inside the file. Errors: `no_such_file`, `is_a_directory`; others break the stream. */
  read(path: StoragePath, range?: ByteRange, call?: CallOptions): Promise<AsyncIterable<Uint8Array>>
  /**
   * Stores all bytes or nothing: the file appears complete, checked and durable, or not at all. Makes parents.
   * Errors: `already_exists`, `is_a_directory`, `not_a_directory`, `size_mismatch`, `checksum_mismatch`,
   * `storage_full`, and whatever the body throws. May be left behind: empty parent directories.
   */
  write(
    path: StoragePath,
    body: AsyncIterable<Uint8Array>,
    options: WriteOptions,
    call?: CallOptions,
  ): Promise<Written>
  /** One directory; its parent must exist. Errors: `already_exists`, `parent_missing`. */
  makeDirectory(path: StoragePath, call?: CallOptions): Promise<void>
  /**
   * Renames a file or directory; makes the parents of `to`. Errors: `no_such_file`, `already_exists` (unless
   * `overwrite`, which replaces files only). May be left behind: empty parents.
   */
  move(from: StoragePath, to: StoragePath, options: { overwrite: boolean }, call?: CallOptions): Promise<void>
  /**
   * Removes a file or an empty directory; with `recursive` the whole tree, of which a part may be left when it
   * fails half-way. Errors: `no_such_file`, `directory_not_empty`.
   */
  remove(path: StoragePath, options?: { recursive?: boolean }, call?: CallOptions): Promise<void>
  /** Kept or computed checksums of a file; adler32 always. Errors: `no_such_file`, `is_a_directory`. */
  digest(path: StoragePath, call?: CallOptions): Promise<Partial<Digests> & Pick<Digests, 'adler32'>>
  /** Null when the storage cannot fetch from a third party itself. Lost connection: `copy_outcome_unknown`. */
  readonly copyFrom: ((request: CopyRequest, call?: CallOptions) => Promise<void>) | null
  /** Null when the storage cannot tell how full it is. */
  readonly space: (() => Promise<{ totalBytes: number; freeBytes: number }>) | null
}

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

/** With checksums where the storage makes them while it writes. */
export interface Written extends Partial<Digests> {
  readonly size: number
  /** False when a file was replaced. */
  readonly created: boolean
}

/**
 * One storage area, whatever it is made of. Paths are decoded and safe segments; an unsafe one is `bad_path`.
 * Every method may also throw `storage_failed`.
 */
export interface StorageDriver {
  /** Facts of a file or directory; undefined when there is nothing. */
  stat(path: StoragePath): Promise<Entry | undefined>
  /** Entries of a directory, by name. Errors: `no_such_file`, `not_a_directory`. */
  list(path: StoragePath): Promise<Entry[]>
  /** The bytes, or a range inside the file. Errors: `no_such_file`, `is_a_directory`; others break the stream. */
  read(path: StoragePath, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  /**
   * Stores all bytes or nothing: the file appears complete, checked and durable, or not at all. Makes parents.
   * Errors: `already_exists`, `is_a_directory`, `not_a_directory`, `size_mismatch`, `checksum_mismatch`,
   * `storage_full`, and whatever the body throws. May be left behind: empty parent directories.
   */
  write(path: StoragePath, body: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Written>
  /** One directory; its parent must exist. Errors: `already_exists`, `parent_missing`. */
  makeDirectory(path: StoragePath): Promise<void>
  /**
   * Renames a file or directory; makes the parents of `to`. Errors: `no_such_file`, `already_exists` (unless
   * `overwrite`, which replaces files only). May be left behind: empty parents.
   */
  move(from: StoragePath, to: StoragePath, options: { overwrite: boolean }): Promise<void>
  /**
   * Removes a file or an empty directory; with `recursive` the whole tree, of which a part may be left when it
   * fails half-way. Errors: `no_such_file`, `directory_not_empty`.
   */
  remove(path: StoragePath, options?: { recursive?: boolean }): Promise<void>
  /** Kept or computed checksums of a file, `seen` a moment ago. Errors: `no_such_file`, `is_a_directory`. */
  digest(path: StoragePath, seen?: Entry): Promise<Digests>
  /** Checksums of the bytes as they are now, whatever is kept: what finds a copy that rotted. Errors as of `digest`. */
  sum(path: StoragePath): Promise<Digests>
}

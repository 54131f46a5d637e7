import type { ContentHash } from './hash.ts'

export type EntryKind = 'directory' | 'file' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block'
export type Compression = 'zlib' | 'none'

export interface Chunk {
  readonly offset: number
  readonly size: number
  readonly hash: ContentHash
}

/**
 * One entry of a tree as a catalogue knows it. Where very many are made all fields are named, in this order: one that is put
 * together of others takes ten times as long, and so does what is done with entries of many forms.
 */
export interface Entry {
  /** Absolute inside the repository; the root is the empty string. */
  readonly path: string
  readonly kind: EntryKind
  /** Permission bits only, with set-id and sticky. */
  readonly mode: number
  /** Seconds since 1970 and the nanoseconds behind them. */
  readonly mtime: number
  readonly mtimeNs: number
  /** Bytes of a file; of a symbolic link, those of its text. */
  readonly size: number
  readonly target?: string | undefined
  /** Of a device. */
  readonly device?: number | undefined
  /** Of a file that is stored whole. */
  readonly content?: ContentHash | undefined
  readonly compression?: Compression | undefined
  /** Of a file that is stored in pieces, in their order. */
  readonly chunks?: readonly Chunk[] | undefined
  /** Extended attributes by name; values are base64. */
  readonly xattrs?: Readonly<Record<string, string>> | undefined
  /** Files of one directory that are one: the name of the first, and how many. */
  readonly links?: { readonly first: string; readonly count: number } | undefined
}

/** This file makes its directory a catalogue of its own; beside it, the second says that nobody asked for that. */
export const MARKER = '.cvmfscatalog'
export const AUTOMATIC_MARKER = '.cvmfsautocatalog'

export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
/** True for `path` itself and everything below it. */
export const isWithin = (path: string, above: string): boolean =>
  path === above || path.startsWith(`${above}/`)

import { type ErrorKind, GridError } from '../kernel/errors.ts'

/** Who is at fault in a movement of bytes; `network` when nobody can tell. */
export type Party = 'source' | 'destination' | 'network'

/** How a failure should be treated: `overload` shrinks the rate, `final` is never tried again. */
export type FailureClass = 'overload' | 'transient' | 'final'

/** Builds the error function of one code; party, class and HTTP status travel in `details`. */
function define(kind: ErrorKind, code: string) {
  return (message: string, details: Record<string, unknown> = {}, cause?: unknown): GridError =>
    new GridError({ code, kind, message, details, ...(cause !== undefined && { cause }) })
}

export const badPath = define('invalid', 'bad_path')
export const badRequest = define('invalid', 'bad_request')
export const noSuchFile = define('missing', 'no_such_file')
export const alreadyExists = define('conflict', 'already_exists')
export const notADirectory = define('conflict', 'not_a_directory')
export const isADirectory = define('conflict', 'is_a_directory')
export const directoryNotEmpty = define('conflict', 'directory_not_empty')
export const noParent = define('conflict', 'parent_missing')
export const checksumMismatch = define('invalid', 'checksum_mismatch')
export const sizeMismatch = define('invalid', 'size_mismatch')
export const storageFull = define('exhausted', 'storage_full')
export const cancelled = define('transient', 'cancelled')
export const storageFailed = define('fatal', 'storage_failed')
export const remoteRefused = define('denied', 'remote_refused')
export const remoteOverloaded = define('transient', 'remote_overloaded')
export const remoteFailed = define('transient', 'remote_failed')
export const remoteUnreachable = define('transient', 'remote_unreachable')
export const remoteRejected = define('fatal', 'remote_rejected')
export const documentTooLarge = define('invalid', 'document_too_large')
export const hostNotAllowed = define('denied', 'host_not_allowed')
/** The connection ended without a verdict: the copy may or may not be complete. Ask the destination. */
export const copyOutcomeUnknown = define('transient', 'copy_outcome_unknown')

/** An operating system error as what it means for storage. */
export function fromSystem(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code
  switch (code) {
    case 'ENOENT':
      return noSuchFile(`${path} does not exist.`, {}, error)
    case 'EEXIST':
      return alreadyExists(`${path} exists already.`, {}, error)
    case 'ENOTDIR':
      return notADirectory(`A part of ${path} is a file, not a directory.`, {}, error)
    case 'EISDIR':
      return isADirectory(`${path} is a directory.`, {}, error)
    case 'ENOTEMPTY':
      return directoryNotEmpty(`${path} is not empty.`, {}, error)
    case 'ENOSPC':
    case 'EDQUOT':
      return storageFull(
        'The storage is full; free some space or choose another storage.',
        { class: 'final' },
        error,
      )
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return badPath(`${path} is not a usable path.`, {}, error)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EIO':
      return storageFailed(`The storage cannot serve ${path}.`, { class: 'final' }, error)
    default:
      return error
  }
}

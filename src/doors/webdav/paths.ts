import { isSafeSegment } from '../../identity/verifier.ts'
import { badPath } from '../../storage/errors.ts'

/** Decoded segments of a request target: decoded once, double slashes collapsed, dots refused instead of resolved. */
export function segmentsOfTarget(target: string): string[] {
  const path = target.split(/[?#]/, 1)[0] ?? ''
  if (!path.startsWith('/') || path.length > 8192)
    throw badPath('The path must begin with "/" and be shorter.')
  return path
    .split('/')
    .filter(Boolean)
    .map((part) => {
      let name: string
      try {
        name = decodeURIComponent(part)
      } catch {
        throw badPath('The path has a broken percent escape.')
      }
      if (!isSafeSegment(name)) throw badPath('The path has a forbidden part.')
      return name
    })
}

/** A single range of a file of `size` bytes; undefined: send all; null: not satisfiable. */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [, first, last] = match
  if (first === '') {
    const count = Math.min(Number(last), size)
    return count === 0 ? null : { start: size - count, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? null : { start, end }
}

export const encodePath = (segments: readonly string[]): string =>
  `/${segments.map(encodeURIComponent).join('/')}`

/**
 * Which extended attributes go into a repository: those that mean the same on every machine. Labels of security
 * modules, access lists with numbers of local accounts and notes of file systems do not.
 */
export function keptAttributes(
  found: ReadonlyMap<string, Buffer>,
): Readonly<Record<string, string>> | undefined {
  const kept = [...found].filter(
    ([name, value]) =>
      (name.startsWith('user.') || name === 'security.capability') &&
      Buffer.byteLength(name) <= MOST_BYTES &&
      value.length <= MOST_BYTES,
  )
  if (kept.length === 0) return undefined
  return Object.fromEntries(
    kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, v.toString('base64')]),
  )
}

/** What the format can hold of a name, and of a value. */
export const MOST_BYTES = 255

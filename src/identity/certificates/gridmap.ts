import type { Group } from '../accounts/group.ts'
import { type Name, nameFromSlash } from '../x509/index.ts'

/** A grid-mapfile: one line for each name, `"<name>" account,account`, or one pool for all. */
export function writeGridmap(
  entries: readonly { readonly subject: string; readonly accounts: readonly string[] }[],
  pool?: string,
): string {
  return entries
    .filter(({ subject }) => !subject.includes('"'))
    .map(({ subject, accounts }) => `"${subject}" ${pool ?? accounts.join(',')}\n`)
    .join('')
}

/** A group map as LCMAPS reads it: roles before groups, longer paths before shorter ones. */
export function writeGroupmap(groups: readonly Pick<Group, 'path' | 'role'>[], pool: string): string {
  const lines = groups.map(({ path, role }) => {
    const at = path.lastIndexOf('/')
    const name = path.slice(at + 1)
    return role
      ? {
          fqan: `${path.slice(0, at)}/Role=${name}`,
          pool: `${pool}${name.replace(/[^A-Za-z0-9]/g, '')}`,
          role,
        }
      : { fqan: path, pool, role }
  })
  const depth = (fqan: string): number => fqan.split('/').length
  return lines
    .sort(
      (a, b) =>
        Number(b.role) - Number(a.role) || depth(b.fqan) - depth(a.fqan) || (a.fqan < b.fqan ? -1 : 1),
    )
    .map((line) => `"${line.fqan}" ${line.pool}\n`)
    .join('')
}

/** The lines of a grid-mapfile that map one name to an account of its own; pools and what is not understood are told. */
export function readGridmap(text: string): {
  readonly lines: readonly { readonly subject: Name; readonly account: string }[]
  /** Numbers of lines that were passed over, from 1. */
  readonly skipped: readonly number[]
} {
  const lines: { subject: Name; account: string }[] = []
  const skipped: number[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const plain = line.trim()
    if (plain === '' || plain.startsWith('#')) continue
    const [, quoted, bare, account] = /^(?:"([^"]+)"|(\/\S+))\s+([^\s,]+)(?:,\S*)?$/.exec(plain) ?? []
    const subject = subjectIn(quoted ?? bare)
    if (subject && account && !account.startsWith('.')) lines.push({ subject, account })
    else skipped.push(i + 1)
  }
  return { lines, skipped }
}

function subjectIn(text: string | undefined): Name | undefined {
  try {
    return text === undefined ? undefined : nameFromSlash(text)
  } catch {
    return undefined
  }
}

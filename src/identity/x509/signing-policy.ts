import { defineError } from '../../kernel/errors.ts'
import { type Name, nameFromSlash, sameName, slashOf } from './names.ts'

export const invalidPolicy = defineError('invalid', 'invalid_signing_policy')

/** What one line of a policy says: the authority of that name may sign subjects that match. */
export interface SigningPolicy {
  readonly issuer: Name
  permits(subject: Name): boolean
}

/**
 * Globus' signing policies (EACL): `access_id_CA`, `pos_rights`, `cond_subjects` with `*` and `?` as wildcards.
 * Several authorities may share one file.
 */
export function readSigningPolicies(text: string): SigningPolicy[] {
  const found: { issuer: Name; patterns: string[] }[] = []
  for (const line of meaningfulLines(text)) {
    const [, keyword = '', authority = '', rest = ''] = /^(\S+)\s+(\S+)\s*(.*)$/.exec(line) ?? []
    if (keyword === 'access_id_CA' && authority === 'X509') {
      const [name] = quoted(rest)
      if (!name) throw invalidPolicy(`access_id_CA names nobody: ${line.slice(0, 200)}`)
      found.push({ issuer: nameFromSlash(name), patterns: [] })
    } else if (keyword === 'pos_rights' && authority === 'globus') {
      // The only right that exists; nothing to note.
    } else if (keyword === 'cond_subjects' && authority === 'globus') {
      const last = found.at(-1)
      if (!last) throw invalidPolicy('cond_subjects stands before any access_id_CA.')
      last.patterns.push(...quoted(rest))
    } else {
      throw invalidPolicy(`"${keyword.slice(0, 40)}" is not understood in a signing policy.`)
    }
  }
  return found.map(({ issuer, patterns }) => {
    const globs = patterns.map(comparable)
    return {
      issuer,
      permits: (subject) => globs.some((glob) => globMatches(glob, comparable(slashOf(subject)))),
    }
  })
}

/** A signing policy as text: what `issuer` may sign. */
export const signingPolicyText = (issuer: Name, globs: readonly string[]): string =>
  [
    `access_id_CA   X509    '${slashOf(issuer)}'`,
    'pos_rights     globus  CA:sign',
    `cond_subjects  globus  '${globs.map((glob) => `"${glob}"`).join(' ')}'`,
    '',
  ].join('\n')

/**
 * The namespaces files of the IGTF: `TO Issuer "<name>" PERMIT Subject "<regular expression>"`; a DENY wins.
 */
export function readNamespaces(text: string): SigningPolicy[] {
  const rules: { issuer: Name; permit: boolean; pattern: RegExp }[] = []
  for (const line of meaningfulLines(text.replace(/\\\r?\n/g, ' '))) {
    const [, name, verdict, pattern] =
      /^TO\s+Issuer\s+"([^"]+)"\s+(PERMIT|DENY)\s+Subject\s+"([^"]+)"$/i.exec(line) ?? []
    if (!name || !verdict || !pattern || pattern.length > 1000)
      throw invalidPolicy(`This line of a namespaces file is not understood: ${line.slice(0, 200)}`)
    rules.push({
      issuer: nameFromSlash(name),
      permit: verdict.toUpperCase() === 'PERMIT',
      pattern: anchored(pattern),
    })
  }
  const issuers = rules.map(({ issuer }) => issuer)
  const distinct = issuers.filter((issuer, i) => issuers.findIndex((other) => sameName(other, issuer)) === i)
  return distinct.map((issuer) => {
    const own = rules.filter((rule) => sameName(rule.issuer, issuer))
    return {
      issuer,
      permits(subject) {
        const hits = own.filter(({ pattern }) => pattern.test(comparable(slashOf(subject))))
        return hits.length > 0 && hits.every(({ permit }) => permit)
      },
    }
  })
}

function meaningfulLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/^\s*#.*$/, '').trim())
    .filter(Boolean)
}

/** `'"a" "b"'`, `'a'`, `"a"` or a bare word. */
function quoted(text: string): string[] {
  const single = /^'([^']*)'/.exec(text)?.[1]
  const inner = single ?? text
  const double = [...inner.matchAll(/"([^"]*)"/g)].map((match) => match[1]!)
  if (double.length > 0) return double
  const word = single ?? /^\S+/.exec(text)?.[0]
  return word ? [word.trim()] : []
}

/** Names are the same whatever their ASCII case, their blanks and whichever of its names an attribute goes by. */
function comparable(slash: string): string {
  return slash
    .replace(/\/(?:Email|E)=/gi, '/emailAddress=')
    .replace(/\/USERID=/gi, '/UID=')
    .replace(/\s+/g, ' ')
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function anchored(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${comparable(pattern)})$`, 'i')
  } catch (cause) {
    throw invalidPolicy(`"${pattern.slice(0, 200)}" is no regular expression.`, undefined, cause)
  }
}

/** `*` and `?`, in time proportional to both lengths whatever the pattern. */
export function globMatches(glob: string, text: string): boolean {
  let [g, t, star, mark] = [0, 0, -1, 0]
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++
      mark = t
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++
      t++
    } else if (star >= 0) {
      g = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

import type { ErrorCount } from './types.ts'

// Order matters: an address contains numbers, a path contains words.
const PLACES: readonly [RegExp, string][] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s'"<>,;)]+/gi, '<url>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>'],
  [/(?<![\w<])(?:~|\.{1,2})?(?:\/[\w.+@%=~-]+)+\/?/g, '<path>'],
  [/\[[0-9a-f]*:[0-9a-f:.]+\](?::\d+)?/gi, '<host>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<host>'],
  [/\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}(?::\d+)?\b/gi, '<host>'],
  [/\blocalhost(?::\d+)?\b/gi, '<host>'],
  [/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/gi, '<hex>'],
  [/[-+]?\d+(?:[.,:]\d+)*/g, '<n>'],
]
const LONGEST = 300

/** A message without what differs between two failures of the same kind: addresses, paths, ids, numbers. */
export function templateOf(message: string): string {
  let text = message.replace(/\s+/g, ' ').trim().slice(0, LONGEST)
  for (const [pattern, name] of PLACES) text = text.replace(pattern, name)
  return text
}

/** The most frequent kinds of message. */
export function topTemplates(errors: Iterable<ErrorCount>, most = 3): ErrorCount[] {
  const counts = new Map<string, number>()
  const known = new Map<string, string>()
  for (const { text, n } of errors) {
    const template = known.get(text) ?? templateOf(text)
    known.set(text, template)
    counts.set(template, (counts.get(template) ?? 0) + n)
  }
  return [...counts]
    .map(([text, n]) => ({ text, n }))
    .sort((a, b) => b.n - a.n || (a.text < b.text ? -1 : 1))
    .slice(0, most)
}

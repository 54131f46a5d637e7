// The first that fits counts: most browsers also name those they descend from.
const BROWSERS = [
  [/\bEdg(?:e|A|iOS)?\/(\d+)/, 'Edge'],
  [/\bOPR\/(\d+)/, 'Opera'],
  [/\bFirefox\/(\d+)/, 'Firefox'],
  [/\b(?:Headless)?Chrom(?:e|ium)\/(\d+)/, 'Chrome'],
  [/\bVersion\/(\d+).*Safari\//, 'Safari'],
  [/^([\w.-]+)/, ''],
] as const
const SYSTEMS = [
  [/Windows/, 'Windows'],
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/Linux|X11/, 'Linux'],
] as const

/** What a person calls the program that sends this header; empty where it says nothing. */
export function browserIn(userAgent: string): { browser: string; system: string } {
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1] ?? ''
  for (const [pattern, name] of BROWSERS) {
    const found = pattern.exec(userAgent)
    if (found) return { browser: name ? `${name} ${found[1]}` : (found[1] ?? ''), system }
  }
  return { browser: '', system }
}

/**
 * The client's paths made canonical before routing. It encodes with `quote_plus` (space is `+`, `/` is `%2F`), and
 * names with unencoded slashes are tolerated by the field's servers too; so the path is split before anything is
 * decoded, known suffixes win from the right end, and a trailing slash means nothing.
 */
export function canonicalRucioUrl(url: string, prefix = '/rucio'): string {
  if (!url.startsWith(`${prefix}/`)) return url
  const [path, query] = cut(url, '?')
  const rest = path.slice(prefix.length + 1)
  const [noun] = cut(rest, '/')
  const shape = SHAPES[noun]
  const trimmed = rest.replace(/\/+$/, '')
  const segments = shape ? shape(trimmed.slice(noun.length + 1)) : trimmed.split('/').slice(1)
  const canonical = [prefix, noun, ...segments.map(recode)].join('/')
  return query === undefined ? canonical : `${canonical}?${query}`
}

/** Decodes `quote_plus`; broken percent signs stay as they are. */
export function unquotePlus(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

type Shape = (rest: string) => string[]

const cut = (text: string, at: string): [string, string | undefined] => {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}

const recode = (segment: string): string => encodeURIComponent(unquotePlus(segment))

/** `<scope>/<name…>[/suffix]`: the longest suffix that leaves a name wins. */
function did(rest: string, suffixes: readonly RegExp[]): string[] {
  const [scope, name] = cut(rest, '/')
  if (name === undefined || name === '') return [scope]
  for (const suffix of suffixes) {
    const found = suffix.exec(name)
    if (found && found.index > 0) {
      return [scope, name.slice(0, found.index), ...found[0].slice(1).split('/')]
    }
  }
  return [scope, name]
}

const DID_SUFFIXES = [
  /\/dids\/history$/,
  /\/meta\/[^/]+$/,
  /\/(?:dids|files|meta|parents|rules|associated_rules|status|follow)$/,
]

const plain: Shape = (rest) => (rest === '' ? [] : rest.split('/'))

const SHAPES: Readonly<Record<string, Shape>> = {
  dids(rest) {
    if (/^[^/]+\/dids\/search$/.test(rest)) return rest.split('/')
    if (/^[^/]+\/guid$/.test(rest)) return rest.split('/')
    return rest === '' ? [] : did(rest, DID_SUFFIXES)
  },
  replicas(rest) {
    const fixed = /^(?:list|bad|dids|suspicious|quarantine|tombstone|datasets_bulk|rse)(?:\/|$)/
    return rest === '' || fixed.test(rest) ? plain(rest) : did(rest, [/\/datasets(?:_vp)?$/])
  },
  rules(rest) {
    const history = /^([^/]+)\/(.+)\/history$/.exec(rest)
    return history ? [history[1]!, history[2]!, 'history'] : plain(rest)
  },
  locks(rest) {
    return rest.includes('/') ? did(rest, []) : plain(rest)
  },
  archives: (rest) => did(rest, [/\/files$/]),
  accounts(rest) {
    // A global limit's key is an RSE expression, which may hold slashes in odd hands.
    const limit = /^([^/]+)\/(limits|usage)\/(local|global|history)\/(.+)$/.exec(rest)
    return limit ? limit.slice(1) : plain(rest)
  },
}

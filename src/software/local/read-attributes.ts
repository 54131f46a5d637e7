import { spawnSync } from 'node:child_process'
import { defineError } from '../../kernel/errors.ts'
import { keptAttributes } from './attributes.ts'
import type { Found } from './walk.ts'

const noAttributes = defineError('invalid', 'software_no_attributes')
/** What one start of the program takes: far below what any system allows. */
const MOST_FILES = 1000
const MOST_BYTES = 64 << 10

/**
 * Extended attributes of local files and directories, added to their entries. Node cannot read them: `getfattr` does,
 * of the package attr. Throws `software_no_attributes` where it is missing or fails.
 */
export function* addAttributes(found: Iterable<Found>): Generator<Found> {
  for (const some of inStarts(found)) {
    const files = some.filter(mayHaveAttributes).map(({ file }) => file)
    const attributes = files.length > 0 ? readDump(run(files)) : new Map<string, Map<string, Buffer>>()
    for (const one of some) {
      // Whoever looked without attributes noted the same sum.
      one.sum = undefined
      const xattrs = keptAttributes(attributes.get(one.file) ?? new Map())
      if (!xattrs) yield one
      else yield { ...one, entry: { ...one.entry, xattrs }, stamp: `${one.stamp}:${JSON.stringify(xattrs)}` }
    }
  }
}

const mayHaveAttributes = ({ kind }: Found): boolean => kind === 'file' || kind === 'directory'

function* inStarts(found: Iterable<Found>): Generator<Found[]> {
  let [some, bytes] = [[] as Found[], 0]
  for (const one of found) {
    if (some.length === MOST_FILES || bytes > MOST_BYTES) {
      yield some
      ;[some, bytes] = [[], 0]
    }
    some.push(one)
    bytes += one.file.length
  }
  if (some.length > 0) yield some
}

function run(files: readonly string[]): string {
  const words = ['--no-dereference', '--dump', '--encoding=base64', '--absolute-names']
  const pattern = '--match=^(user\\.|security\\.capability$)'
  const done = spawnSync('getfattr', [...words, pattern, '--', ...files], {
    ...{ encoding: 'utf8', maxBuffer: 1 << 28 },
  })
  if ((done.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw noAttributes(
      'Extended attributes are read by getfattr, which is missing. Debian: apt-get install attr',
    )
  if (done.error || done.status !== 0)
    throw noAttributes(`getfattr failed: ${done.error?.message ?? done.stderr.split('\n')[0]}`)
  return done.stdout
}

/** What `getfattr --dump` prints: `# file: NAME`, then `NAME=0sBASE64` of each attribute, then an empty line. */
export function readDump(text: string): Map<string, Map<string, Buffer>> {
  const files = new Map<string, Map<string, Buffer>>()
  let attributes = new Map<string, Buffer>()
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) {
      attributes = new Map()
      files.set(plain(line.slice(8)), attributes)
      continue
    }
    const equals = line.indexOf('=')
    if (equals < 0) {
      if (line !== '') attributes.set(plain(line), Buffer.alloc(0))
      continue
    }
    const value = line.slice(equals + 1)
    if (!value.startsWith('0s'))
      throw noAttributes(`getfattr says ${line.slice(0, 80)}, which nobody understands.`)
    attributes.set(plain(line.slice(0, equals)), Buffer.from(value.slice(2), 'base64'))
  }
  return files
}

/** Line ends and backslashes in names are written as three octal digits. */
const plain = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

import type { Entry } from '../format/entry.ts'
import { hashOf } from '../format/hash.ts'
import { attributesGiven } from './write-attributes.ts'

/** Shared by many trees: nobody may write into a file, and whoever keeps it can read it to make copies. */
export const sharedMode = ({ mode }: Entry): number => (mode & 0o555) | 0o400

/** A file is shared by those trees that show it alike: same content, same mode, same time, same attributes. */
export function keptAt(store: string, entry: Entry): string {
  const names = entry.chunks ? entry.chunks.map(({ hash }) => hash.hex).join('') : (entry.content?.hex ?? '')
  const short =
    names.length > 40 ? `${names.slice(0, 40)}+${entry.chunks!.length}.${names.slice(-40)}` : names
  const given = attributesGiven(entry.xattrs)
  const marked = given.length > 0 ? `.${hashOf(JSON.stringify(given), 'sha1').hex}` : ''
  return `${store}/${short.slice(0, 2)}/${short.slice(2)}.${sharedMode(entry).toString(8)}.${entry.mtime}${marked}`
}

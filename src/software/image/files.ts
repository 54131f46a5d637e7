import { statSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Bytes } from './bytes.ts'
import { badImage } from './errors.ts'
import { namesOf } from './layered.ts'
import { formatOf, type Unpack } from './plain.ts'
import { readTar } from './tar.ts'

/** The files that an image is made of. Names are asked for as they must be, never as a document in them says. */
export interface ImageFiles {
  find(name: string): Bytes | undefined
  /** Whether names from a document may be looked up, too: in an archive they can lead nowhere else. */
  readonly archive: boolean
}

/** As many names as one may lead to the next: archives repeat a layer as a link. */
const MOST_LINKS = 8

/** A directory, or an archive of one; a compressed archive is unpacked first. */
export async function openFiles(place: string, unpack: Unpack): Promise<ImageFiles> {
  const stat = statSync(place, { throwIfNoEntry: false })
  if (stat?.isDirectory()) return { find: (name) => fileAt(join(place, name)), archive: false }
  const whole = fileAt(place)
  if (!whole) throw badImage(`${place} is neither a directory nor a file.`)
  return filesInArchive(formatOf(whole) === 'tar' ? whole : await unpack(whole, place, {}))
}

function fileAt(file: string): Bytes | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat?.isFile() ? { file, start: 0, length: stat.size } : undefined
}

/** Each file is the part of the archive that it lies in. */
function filesInArchive(archive: Bytes): ImageFiles {
  const files = new Map<string, Bytes | string>()
  for (const { kind, name: said, content, target } of readTar(archive)) {
    const name = namesOf(said).join('/')
    if (kind === 'file') files.set(name, content)
    else if (kind === 'link') files.set(name, namesOf(target).join('/'))
    else if (kind === 'symlink') files.set(name, posix.join(posix.dirname(name), target))
  }
  return {
    archive: true,
    find(name) {
      let found = files.get(name)
      for (let links = 0; typeof found === 'string' && links < MOST_LINKS; links++) found = files.get(found)
      return typeof found === 'string' ? undefined : found
    },
  }
}

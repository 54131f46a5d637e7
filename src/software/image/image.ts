import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalTree } from '../local/walk.ts'
import { type Choice, chooseImage } from './choose.ts'
import { openFiles } from './files.ts'
import { createLayered } from './layered.ts'
import { createUnpack, type Decompress } from './plain.ts'
import { treeOf } from './published-tree.ts'
import { readTar } from './tar.ts'

export interface ImageOptions extends Choice {
  /** Where in the repository it goes. */
  readonly to: string
  /** Directory for unpacked layers; as many bytes as the image has. */
  readonly temporary: string
  readonly decompress: Decompress
  readonly signal?: AbortSignal | undefined
  /** Above these an image is refused: a small file may claim to hold anything. */
  readonly mostBytes?: number
  readonly mostEntries?: number
}

export interface Image {
  readonly digest: string
  readonly layers: number
  /** Its files lie in the unpacked layers, until it is closed. */
  readonly tree: LocalTree
  close(): void
}

const MOST_BYTES = 64 * 2 ** 30
const MOST_ENTRIES = 4_000_000

/**
 * The tree of an OCI layout (directory or archive) or of an archive of `docker save`: its layers one upon the other, as
 * the OCI image specification 1.1 has them. Everything is compared with its digest before it is looked at, and no name
 * of the image becomes one of this machine. Throws `software_bad_image`.
 */
export async function openImage(place: string, options: ImageOptions): Promise<Image> {
  const { to, temporary, decompress, signal, mostBytes = MOST_BYTES, mostEntries = MOST_ENTRIES } = options
  const work = mkdtempSync(join(temporary, 'kumi-image-'))
  const close = () => rmSync(work, { recursive: true, force: true })
  try {
    const unpack = createUnpack({ work, mostBytes, decompress, signal })
    const { digest, layers } = chooseImage(await openFiles(place, unpack), options)
    const layered = createLayered(mostEntries)
    for (const [i, { bytes, stored, plain }] of layers.entries()) {
      const layer = await unpack(bytes, `Layer ${i + 1}`, { stored, plain })
      layered.add(readTar(layer), plain)
    }
    return { digest, layers: layers.length, tree: treeOf(layered, to), close }
  } catch (error) {
    close()
    throw error
  }
}

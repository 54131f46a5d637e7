import { hostname, tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { openImage } from '../../software/image/image.ts'
import { publishTree } from '../../software/local/publish.ts'
import { decompressed } from '../../storage/archive/archive.ts'
import { type PublishCommand, publication } from './publish.ts'

export interface IngestCommand extends Omit<PublishCommand, 'exclude' | 'to' | 'xattrs'> {
  readonly path?: string
  readonly image?: string
  readonly platform?: string
}

/** `kumi software ingest-image IMAGE`: a container image becomes a directory of a repository. */
export async function ingestImage(place: string, options: IngestCommand): Promise<void> {
  const { image: name, platform } = options
  const file = resolve(place)
  await publication(options, options.path, 'image', async (publishing) => {
    const { to, signal } = publishing
    const seenAt = Date.now()
    const image = await openImage(file, {
      ...{ to, signal, image: name, platform, temporary: tmpdir(), decompress: decompressed },
    })
    try {
      const source = `${hostname()}:${file} ${image.digest}`
      return await publishTree(image.tree, seenAt, { ...publishing, source })
    } finally {
      image.close()
    }
  })
}

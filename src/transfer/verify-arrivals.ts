import type { Did, Rse } from '../catalog/index.ts'
import { isGridError } from '../kernel/index.ts'
import { filesNotArrived } from './errors.ts'
import { type FileFacts, type Mover, sameFile } from './mover.ts'

const AT_ONCE = 16

export interface ArrivedFile extends Did, FileFacts {
  readonly path?: string | null
}

/**
 * Asks an RSE whether files are there with the size and checksums somebody claims. Throws files_not_arrived naming
 * those that are missing or different, or the error of a storage that cannot be asked.
 */
export async function verifyArrivals(
  { mover }: { mover: Mover },
  { vo, rse, files }: { vo: string; rse: Rse; files: readonly ArrivedFile[] },
): Promise<void> {
  const wrong: { did: string; why: string }[] = []
  const queue = files.values()
  const look = async (): Promise<void> => {
    for (const file of queue) {
      const { scope, name } = file
      const did = `${scope}:${name}`
      const found = await mover.stat({ vo, rse, did: { scope, name }, path: file.path ?? null })
      if (!found) wrong.push({ did, why: 'is not there' })
      else if (!sameFile(file, found)) wrong.push({ did, why: difference(file, found) })
    }
  }
  const lookers = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, files.length) }, look))
  const failed = lookers.find((l) => l.status === 'rejected')
  if (failed && (wrong.length === 0 || !isGridError(failed.reason))) throw failed.reason
  if (wrong.length === 0) return
  wrong.sort((a, b) => (a.did < b.did ? -1 : 1))
  const shown = wrong.slice(0, 5).map(({ did, why }) => `${did} ${why}`)
  const more = wrong.length > shown.length ? ` and ${wrong.length - shown.length} more` : ''
  throw filesNotArrived(`At ${rse.name}: ${shown.join('; ')}${more}. Upload again.`, {
    rse: rse.name,
    files: wrong,
  })
}

function difference(want: FileFacts, found: FileFacts): string {
  if (want.bytes !== found.bytes) return `has ${found.bytes} bytes instead of ${want.bytes}`
  if (want.adler32 !== found.adler32 && found.adler32 !== null)
    return `has adler32 ${found.adler32} instead of ${want.adler32}`
  return found.md5 === null ? 'has no known checksum there' : `has md5 ${found.md5} instead of ${want.md5}`
}

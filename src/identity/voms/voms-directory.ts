import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type AuthorityChain, parseLsc } from './contact-files.ts'

/** Whose signature under attributes counts. */
export interface VomsAuthorities {
  /** The chains that may sign for that VO at that host; empty for those nobody has named. */
  of(vo: string, host: string): Promise<readonly AuthorityChain[]>
}

const MOST_FILE_BYTES = 64 * 1024
const MOST_KEPT = 1000
/** What a file or directory may be called: never a way to another directory. */
const NAME = /^[A-Za-z0-9_][\w.-]*$/

/** Directories as grid clients have them (X509_VOMS_DIR): `<vo>/<host>.lsc`. A file counts as it is when asked for. */
export function openVomsDirectory(options: {
  readonly directories: readonly string[]
  /** A file that could not be used, and why. */
  readonly onProblem?: (file: string, error: unknown) => void
}): VomsAuthorities {
  const kept = new Map<string, { stamp: string; chains: readonly AuthorityChain[] }>()

  async function chainsIn(file: string): Promise<readonly AuthorityChain[]> {
    const facts = await stat(file).catch(() => undefined)
    if (!facts?.isFile() || facts.size > MOST_FILE_BYTES) return []
    const stamp = `${facts.mtimeMs} ${facts.size} ${facts.ino}`
    const known = kept.get(file)
    if (known?.stamp === stamp) return known.chains
    const chains = await readFile(file, 'utf8')
      .then(parseLsc)
      .catch((error) => {
        options.onProblem?.(file, error)
        return []
      })
    if (kept.size >= MOST_KEPT) kept.clear()
    kept.set(file, { stamp, chains })
    return chains
  }

  return {
    async of(vo, host) {
      if (!NAME.test(vo) || !NAME.test(host)) return []
      const files = options.directories.map((directory) => join(directory, vo, `${host}.lsc`))
      return (await Promise.all(files.map(chainsIn))).flat()
    },
  }
}

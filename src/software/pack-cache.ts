import { readPackList } from './format/pack.ts'

/** Bytes of packs kept in memory: whoever fetches a release fetches its objects from the same few packs. */
const MOST_BYTES = 96 << 20
/** A pack is read whole when so many of its objects were asked for lately; a single object is read by itself. */
const WORTH_IT = 4
const MOST_COUNTED = 10_000

interface KeptPack {
  readonly id: string
  readonly bytes: Buffer
  /** Hexadecimal hashes of what is in it. */
  readonly objects: ReadonlyMap<string, { readonly start: number; readonly length: number }>
}

/** Packs that many want objects of, in memory; the one not asked for the longest goes first. */
export interface PackCache {
  /** An object of a kept pack; undefined when it must be looked up. */
  find(repositoryId: number, hex: string): Buffer | undefined
  /** Notes that an object of a pack was wanted; reads the pack when that is worth it. */
  note(repositoryId: number, packId: string, read: () => Promise<Buffer>): void
}

export function createPackCache(most = MOST_BYTES): PackCache {
  const packs = new Map<string, KeptPack>()
  /** Which kept pack holds an object. */
  const holders = new Map<string, KeptPack>()
  const wanted = new Map<string, number>()
  const reading = new Set<string>()
  let bytes = 0

  function keep(repositoryId: number, id: string, content: Buffer): void {
    const entries = readPackList(content)
    const objects = new Map(entries.map(({ hash, start, length }) => [hash.hex, { start, length }]))
    const pack = { id: `${repositoryId} ${id}`, bytes: content, objects }
    packs.set(pack.id, pack)
    bytes += content.length
    for (const hex of objects.keys()) holders.set(`${repositoryId} ${hex}`, pack)
    for (const [oldest, old] of packs) {
      if (bytes <= most) break
      packs.delete(oldest)
      bytes -= old.bytes.length
      const [owner] = oldest.split(' ')
      for (const hex of old.objects.keys())
        if (holders.get(`${owner} ${hex}`) === old) holders.delete(`${owner} ${hex}`)
    }
  }
  return {
    find(repositoryId, hex) {
      const pack = holders.get(`${repositoryId} ${hex}`)
      const place = pack?.objects.get(hex)
      if (!pack || !place) return undefined
      packs.delete(pack.id)
      packs.set(pack.id, pack)
      return pack.bytes.subarray(place.start, place.start + place.length)
    },
    note(repositoryId, packId, read) {
      const key = `${repositoryId} ${packId}`
      const times = (wanted.get(key) ?? 0) + 1
      if (wanted.size >= MOST_COUNTED) wanted.clear()
      wanted.set(key, times)
      if (times < WORTH_IT || reading.has(key) || packs.has(key)) return
      reading.add(key)
      wanted.delete(key)
      read().then(
        (content) => {
          reading.delete(key)
          keep(repositoryId, packId, content)
        },
        // The object itself was read or not, and whoever asked for it was told.
        () => void reading.delete(key),
      )
    },
  }
}

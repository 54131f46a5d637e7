import { openCatalog } from './format/catalog.ts'
import type { ContentHash } from './format/hash.ts'
import { plainForm } from './format/objects.ts'

/** What a catalogue refers to. */
export interface References {
  readonly nested: readonly ContentHash[]
  readonly objects: readonly { readonly hash: ContentHash; readonly kind: 'file' | 'chunk' }[]
}

export function referencesOf(stored: Uint8Array, hash: ContentHash): References {
  const objects = new Map<string, References['objects'][number]>()
  const catalog = openCatalog(plainForm(stored, hash))
  try {
    for (const { entry, external } of catalog.walk()) {
      if (entry.kind !== 'file' || external) continue
      for (const chunk of entry.chunks ?? []) objects.set(chunk.hash.hex, { hash: chunk.hash, kind: 'chunk' })
      if (!entry.chunks && entry.content)
        objects.set(entry.content.hex, { hash: entry.content, kind: 'file' })
    }
    return { nested: catalog.nested().map((one) => one.hash), objects: [...objects.values()] }
  } finally {
    catalog.close()
  }
}

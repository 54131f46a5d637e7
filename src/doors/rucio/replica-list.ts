import {
  computePath,
  type ListedFile,
  type Operation,
  pfnOf,
  protocolsFor,
  type Rse,
} from '../../catalog/index.ts'
import type { Call } from './endpoint.ts'
import type { FileAnswer, Source } from './metalink.ts'
import { wireId } from './wire.ts'

export interface SourceChoice {
  readonly schemes: readonly string[] | null
  readonly domain: 'lan' | 'wan' | null
  readonly ignoreAvailability: boolean
  readonly parents: boolean
}

const READ: Operation = 'read'

/** Files with the URLs of their copies: nearest domain first, then the protocol's own priority. */
export async function* fileAnswers(
  call: Call,
  files: AsyncIterable<readonly ListedFile[]>,
  choice: SourceChoice,
): AsyncGenerator<FileAnswer> {
  const rses = new Map((await call.deps.rses.all(call.vo)).map((rse) => [rse.id, rse]))
  for await (const chunk of files) for (const file of chunk) yield fileAnswer(file, rses, choice)
}

export function fileAnswer(
  file: ListedFile,
  rses: ReadonlyMap<number, Rse>,
  choice: SourceChoice,
): FileAnswer {
  const sources: Source[] = []
  const states: Record<string, string> = {}
  for (const replica of file.replicas) {
    const rse = rses.get(replica.rseId)
    if (!rse) continue
    states[rse.name] = replica.state === 'SUSPICIOUS' ? 'UNAVAILABLE' : replica.state
    if (!rse.canRead && !choice.ignoreAvailability) continue
    for (const domain of choice.domain ? [choice.domain] : (['lan', 'wan'] as const)) {
      for (const protocol of protocolsFor(rse, READ, domain)) {
        if (choice.schemes && !choice.schemes.includes(protocol.scheme)) continue
        const pfn = pfnOf(rse, protocol, file, replica.path ?? computePath(rse, file))
        if (sources.some((source) => source.pfn === pfn)) continue
        sources.push({
          pfn,
          rse: rse.name,
          rseId: wireId(rse.uuid),
          type: rse.kind,
          volatile: rse.volatile,
          domain,
          priority: 0,
        })
      }
    }
  }
  const ranked = sources.map((source, index) => ({ ...source, priority: index + 1 }))
  return {
    scope: file.scope,
    name: file.name,
    bytes: file.bytes,
    adler32: file.adler32,
    md5: file.md5,
    sources: ranked,
    states,
    ...(choice.parents && { parents: file.parents.map(({ scope, name }) => `${scope}:${name}`) }),
  }
}

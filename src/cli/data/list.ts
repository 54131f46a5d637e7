import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { didText, parseConditions, parseDid } from '../client/names.ts'
import * as rucio from '../client/rucio.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { bytesText, printable, table } from '../terminal.ts'

const badLimit = defineError('invalid', 'bad_limit')
const types = ['file', 'dataset', 'container', 'all']

export async function ls(
  name: string | undefined,
  options: SharedOptions & { long?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    if (name === undefined || name === '/') {
      const scopes = await client.json<string[]>('GET', '/rucio/scopes/')
      show(options, scopes, () =>
        scopes
          .map((scope) => printable(scope))
          .sort()
          .join('\n'),
      )
      return
    }
    if (name.startsWith('/') || !name.includes(':')) {
      const scope = name.replace(/^\/+|\/+$/g, '')
      const dids = await rucio.collect(rucio.searchDids(client, scope, {}, { type: 'all' }))
      showDids(options, dids, options.long ?? false)
      return
    }
    const did = parseDid(name)
    const itself = await rucio.showDid(client, did)
    if (itself.type !== 'FILE') {
      showDids(options, await rucio.collect(rucio.listContent(client, did)), options.long ?? false)
      return
    }
    await showCopies(client, name, options)
  })
}

async function showCopies(client: GridClient, name: string, options: SharedOptions): Promise<void> {
  const [file] = await rucio.collect(rucio.listReplicas(client, [parseDid(name)], true))
  const copies = Object.entries(file?.pfns ?? {}).map(([url, { rse }]) => ({
    rse,
    url,
    state: file?.states?.[rse],
  }))
  show(options, file ?? null, () =>
    [
      `${didText(parseDid(name))}  ${bytesText(file?.bytes)}  adler32 ${file?.adler32 ?? '-'}`,
      table(copies, [
        { title: 'STORAGE', value: (copy) => copy.rse },
        { title: 'STATE', value: (copy) => copy.state },
        { title: 'ADDRESS', value: (copy) => copy.url },
      ]),
    ].join('\n'),
  )
}

interface FindOptions extends SharedOptions {
  readonly scope?: string
  readonly type: string
  readonly limit?: string
}

export async function find(conditions: readonly string[], options: FindOptions): Promise<void> {
  const filters = parseConditions(conditions)
  if (!types.includes(options.type))
    throw badLimit(`--type needs one of ${types.join(', ')}, got "${options.type}".`)
  const limit = options.limit === undefined ? undefined : Number(options.limit)
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw badLimit(`--limit needs a whole number above 0, got "${options.limit}".`)
  await withClient(options, async (client) => {
    const scopes = options.scope ? [options.scope] : await client.json<string[]>('GET', '/rucio/scopes/')
    const found: rucio.ListedDid[] = []
    for (const scope of scopes) {
      const left = limit === undefined ? undefined : limit - found.length
      if (left === 0) break
      for await (const did of rucio.searchDids(client, scope, filters, { type: options.type, limit: left }))
        found.push(did)
    }
    showDids(options, found, true)
  })
}

export async function showOne(name: string, options: SharedOptions): Promise<void> {
  const did = parseDid(name)
  await withClient(options, async (client) => {
    const facts = { ...(await rucio.showDid(client, did)), meta: await rucio.didMetadata(client, did) }
    show(options, facts, () => {
      const { meta, ...own } = facts
      const known = Object.entries({ ...own, ...meta }).filter(
        ([, value]) => value !== null && value !== undefined,
      )
      return known
        .map(
          ([key, value]) =>
            `${key.padEnd(16)} ${printable(typeof value === 'object' ? JSON.stringify(value) : String(value))}`,
        )
        .join('\n')
    })
  })
}

function showDids(options: SharedOptions, dids: readonly rucio.ListedDid[], long: boolean): void {
  show(options, dids, () => {
    if (!long) return dids.map((did) => printable(didText(did))).join('\n')
    return table(dids, [
      { title: 'TYPE', value: (did) => (did.did_type ?? did.type ?? '').toLowerCase() },
      { title: 'SIZE', right: true, value: (did) => bytesText(did.bytes) },
      { title: 'FILES', right: true, value: (did) => did.length },
      { title: 'ADLER32', value: (did) => did.adler32 },
      { title: 'NAME', value: didText },
    ])
  })
}

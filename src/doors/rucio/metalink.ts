/** One source of a file as the client is told of it. */
export interface Source {
  readonly pfn: string
  readonly rse: string
  readonly rseId: string
  readonly type: string
  readonly volatile: boolean
  readonly domain: string
  readonly priority: number
}

export interface FileAnswer {
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly adler32: string | null
  readonly md5: string | null
  readonly sources: readonly Source[]
  readonly states: Readonly<Record<string, string>>
  readonly parents?: readonly string[]
}

export const METALINK_TYPE = 'application/metalink4+xml'
export const METALINK_HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
export const METALINK_TAIL = '</metalink>\n'

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters XML forbids.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

/** XML 1.0 cannot carry most control characters at all; they become the replacement character. */
export function escapeXml(text: string): string {
  return text
    .replace(FORBIDDEN, '\ufffd')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/[\n\r\t]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The `file` element the client's download reads; a dataset download needs `parents` to name the dataset. */
export function metalinkFile(file: FileAnswer): string {
  const did = escapeXml(`${file.scope}:${file.name}`)
  const lines = [` <file name="${escapeXml(file.name)}">`]
  if (file.parents && file.parents.length > 0) {
    lines.push(
      '  <parents>',
      ...file.parents.map((parent) => `   <did>${escapeXml(parent)}</did>`),
      '  </parents>',
    )
  }
  lines.push(`  <identity>${did}</identity>`)
  if (file.adler32 !== null) lines.push(`  <hash type="adler32">${file.adler32}</hash>`)
  if (file.md5 !== null) lines.push(`  <hash type="md5">${file.md5}</hash>`)
  lines.push(`  <size>${file.bytes}</size>`)
  lines.push(`  <glfn name="${escapeXml(`/${file.scope}/rucio/${file.scope}:${file.name}`)}"></glfn>`)
  for (const source of file.sources) {
    lines.push(
      `  <url location="${escapeXml(source.rse)}" domain="${source.domain}" priority="${source.priority}" client_extract="false">${escapeXml(source.pfn)}</url>`,
    )
  }
  lines.push(' </file>')
  return `${lines.join('\n')}\n`
}

/** The same answer as a line of JSON. */
export function jsonFile(file: FileAnswer): Record<string, unknown> {
  const pfns: Record<string, unknown> = {}
  const rses: Record<string, string[]> = {}
  for (const source of file.sources) {
    pfns[source.pfn] = {
      rse: source.rse,
      rse_id: source.rseId,
      type: source.type,
      volatile: source.volatile,
      domain: source.domain,
      priority: source.priority,
      client_extract: false,
    }
    rses[source.rse] ??= []
    rses[source.rse]!.push(source.pfn)
  }
  // A file without a protocol for the wanted scheme still tells where its copies are.
  for (const rse of Object.keys(file.states)) rses[rse] ??= []
  return {
    scope: file.scope,
    name: file.name,
    bytes: file.bytes,
    md5: file.md5,
    adler32: file.adler32,
    pfns,
    rses,
    states: file.states,
    ...(file.parents && { parents: file.parents }),
  }
}

import { defineError } from '../../kernel/errors.ts'

const invalidXml = defineError('invalid', 'invalid_xml')

const PROLOG = /^\s*(?:<\?xml[^<>&?]*\?>)?\s*/
const NAME = '[A-Za-z][A-Za-z0-9]{0,31}'
const FIELD = new RegExp(`<(${NAME})(?:/>|>([^<&]*)</\\1>)\\s*`, 'y')
const MOST_FIELDS = 100

/**
 * The fields of a document of one level, `<root><name>text</name>…</root>`, in order. No attributes, entities,
 * comments or document types: nothing of what makes XML dangerous. Throws invalid_xml.
 */
export function readFlatXml(text: string, root: string): [name: string, text: string][] {
  const start = PROLOG.exec(text)![0].length
  const body = new RegExp(`^<${root}>\\s*([\\s\\S]*)</${root}>\\s*$`).exec(text.slice(start))?.[1]
  if (body === undefined) throw invalidXml(`This is no XML document <${root}>.`)
  const fields: [string, string][] = []
  for (FIELD.lastIndex = 0; FIELD.lastIndex < body.length; ) {
    const [, name, value = ''] = FIELD.exec(body) ?? []
    if (!name || fields.length >= MOST_FIELDS)
      throw invalidXml(`The document <${root}> is malformed or too long.`)
    fields.push([name, value.trim()])
  }
  return fields
}

/** Text for an element, readable in every encoding a client may assume. */
export function xmlText(text: string): string {
  return text.replace(/[^\x20-\x25\x27-\x3b\x3d\x3f-\x7e]/gu, (letter) => {
    const code = letter.codePointAt(0)!
    if (code >= 0xd800 && code <= 0xdfff) return '?'
    return code < 0x20 || code === 0x7f ? ' ' : `&#${code};`
  })
}

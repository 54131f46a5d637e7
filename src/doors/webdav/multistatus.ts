import type { Entry } from '../../storage/driver.ts'

// XML can hold no control characters at all; one such name would make a whole listing unreadable.
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that XML forbids
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu

const escapeXml = (text: string): string =>
  text.replace(UNPRINTABLE, '\ufffd').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

/** One `response` of a 207 answer; the properties all known clients ask for, whatever they asked. */
export function responseElement(href: string, entry: Entry): string {
  const date = entry.modified.toUTCString()
  const type = entry.directory
    ? '<D:resourcetype><D:collection/></D:resourcetype>'
    : `<D:resourcetype/><D:getcontentlength>${entry.size}</D:getcontentlength><D:getetag>${escapeXml(etag(entry))}</D:getetag>`
  return (
    `<D:response><D:href>${escapeXml(href)}${entry.directory ? '/' : ''}</D:href><D:propstat><D:prop>` +
    `<D:displayname>${escapeXml(entry.name)}</D:displayname><D:getlastmodified>${date}</D:getlastmodified>` +
    `<D:creationdate>${entry.modified.toISOString()}</D:creationdate>${type}` +
    '</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n'
  )
}

export const etag = (entry: Entry): string =>
  `"${entry.size.toString(16)}-${entry.modified.getTime().toString(16)}"`

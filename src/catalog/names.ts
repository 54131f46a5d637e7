import { didText } from './codes.ts'
import { invalidInput, invalidName } from './errors.ts'
import type { Did, NewFile } from './types.ts'

const SCOPE = /^[a-zA-Z_\-.0-9]{1,25}$/
const DOTS = /(?:^|\/)\.\.?(?:\/|$)/
const NAME = /^[/A-Za-z0-9][/A-Za-z0-9.\-_+=@%:~#]{0,249}$/

export function checkScopeName(name: string): void {
  if (!SCOPE.test(name)) {
    throw invalidName(
      `"${name.slice(0, 60)}" is no scope name: use 1 to 25 letters, digits, "_", "-" or ".".`,
    )
  }
}

/** Names become paths, so no segment of one may walk upwards. */
export function checkDidName(did: Did): void {
  const bad = !NAME.test(did.name)
    ? 'use 1 to 250 of letters, digits and / . - _ + = @ % : ~ #, beginning with a letter, digit or /'
    : DOTS.test(did.name)
      ? '"." and ".." are no path segments'
      : undefined
  if (bad) {
    throw invalidName(`"${did.scope}:${did.name.slice(0, 80)}" is no valid name: ${bad}.`, { ...did })
  }
}

const HEX8 = /^[0-9a-f]{1,8}$/i
const HEX32 = /^[0-9a-f]{32}$/i
const GUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i

/** A file as the tables keep it. */
export interface FileRow {
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly adler32: number | null
  readonly md5: string | null
  readonly guid: string | null
}

export function fileRow(file: NewFile): FileRow {
  checkDidName(file)
  const { adler32 = null, md5 = null, guid = null } = file
  if (file.bytes < 0n) throw invalidInput(`${didText(file)}: bytes must not be negative.`)
  if (adler32 !== null && !HEX8.test(adler32)) {
    throw invalidInput(`${didText(file)}: adler32 must be 8 hexadecimal digits, not "${adler32}".`)
  }
  if (md5 !== null && !HEX32.test(md5)) {
    throw invalidInput(`${didText(file)}: md5 must be 32 hexadecimal digits, not "${md5}".`)
  }
  if (guid !== null && !GUID.test(guid)) throw invalidInput(`${didText(file)}: "${guid}" is no GUID.`)
  return {
    scope: file.scope,
    name: file.name,
    bytes: file.bytes,
    adler32: adler32 === null ? null : Number.parseInt(adler32, 16) | 0,
    md5: md5?.toLowerCase() ?? null,
    guid: guid?.toLowerCase() ?? null,
  }
}

export const adlerText = (adler32: number | null): string | null =>
  adler32 === null ? null : (adler32 >>> 0).toString(16).padStart(8, '0')

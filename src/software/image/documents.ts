import { type Bytes, readBytes } from './bytes.ts'
import { badImage } from './errors.ts'
import { readDigest } from './plain.ts'

/** What a document of an image says of another file of it. */
export interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly mediaType: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly platform: string | undefined
}

/** No document of an image is greater. */
const MOST_BYTES = 8 << 20

export type Document = Readonly<Record<string, unknown>>

/** A JSON document; throws `software_bad_image` when it is none. */
export function readDocument(bytes: Bytes, what: string): unknown {
  try {
    return JSON.parse(readBytes(bytes, MOST_BYTES, what).toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw badImage(`${what} is no JSON.`, {}, error)
    throw error
  }
}

export function objectIn(value: unknown, what: string): Document {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
  throw badImage(`${what} is not what it should be.`)
}

export function listIn(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw badImage(`${what} is not what it should be.`)
}

export const textsIn = (value: unknown, what: string): readonly string[] =>
  listIn(value, what).map((one) => {
    if (typeof one !== 'string') throw badImage(`${what} is not what it should be.`)
    return one
  })

/** A descriptor of the OCI image specification 1.1, as far as it is used. */
export function readDescriptor(value: unknown, what: string): Descriptor {
  const { digest, size, mediaType, annotations, platform } = objectIn(value, what)
  readDigest(digest)
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw badImage(`${what} has no possible size.`)
  return {
    digest: digest as string,
    size: size as number,
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    annotations: annotations === undefined || annotations === null ? {} : objectIn(annotations, what),
    platform: platform === undefined || platform === null ? undefined : platformOf(objectIn(platform, what)),
  }
}

/** `linux/amd64`, or `linux/arm/v7`. */
export function platformOf({ os, architecture, variant }: Document): string {
  return [os, architecture, variant].filter((part) => typeof part === 'string' && part !== '').join('/')
}

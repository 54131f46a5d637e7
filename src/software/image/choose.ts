import { createHash } from 'node:crypto'
import { type Bytes, readBytes } from './bytes.ts'
import {
  type Descriptor,
  listIn,
  objectIn,
  platformOf,
  readDescriptor,
  readDocument,
  textsIn,
} from './documents.ts'
import { badImage, whichImage } from './errors.ts'
import type { ImageFiles } from './files.ts'
import { readDigest } from './plain.ts'

/** One image of those that files hold: which blobs it consists of, and what these must be. */
export interface Chosen {
  /** Of its manifest, or of its configuration in an archive of `docker save`. */
  readonly digest: string
  readonly layers: readonly {
    readonly bytes: Bytes
    readonly stored: string | undefined
    readonly plain: string
  }[]
}

export interface Choice {
  /** A name that the files give it, such as `debian:12`, or its digest. */
  readonly image?: string | undefined
  /** `linux/amd64` */
  readonly platform?: string | undefined
}

/** An index may refer to others. */
const MOST_DEPTH = 4
const MOST_CANDIDATES = 10_000

export function chooseImage(files: ImageFiles, choice: Choice): Chosen {
  const index = files.find('index.json')
  if (index) return chosenByIndex(files, index, choice)
  const list = files.archive && files.find('manifest.json')
  if (list) return chosenByList(files, list, choice)
  throw badImage(
    'There is neither an index.json in it, as OCI layouts have, nor a manifest.json, as archives of `docker save` have.',
  )
}

interface Candidate {
  readonly names: readonly string[]
  readonly platform: string | undefined
  readonly digest: string
  open(): Chosen
}

function chosenByIndex(files: ImageFiles, index: Bytes, choice: Choice): Chosen {
  const found = new Map<string, Candidate>()
  let seen = 0
  const collect = (document: unknown, names: readonly string[], depth: number, what: string) => {
    for (const one of listIn(objectIn(document, what).manifests, what)) {
      const descriptor = readDescriptor(one, what)
      if (++seen > MOST_CANDIDATES) throw badImage('The index refers to too many images.')
      const { digest, platform, mediaType } = descriptor
      if (isAttestation(descriptor)) continue
      const all = [...new Set([...names, ...namesIn(descriptor)])]
      const bytes = files.find(blobName(digest))
      // An archive of one platform may keep the index of all.
      if (!bytes) continue
      if (/index|manifest\.list/.test(mediaType)) {
        if (depth === MOST_DEPTH) throw badImage('Its indexes refer to each other too deeply.')
        collect(documentOf(files, descriptor, 'An index'), all, depth + 1, 'An index')
        continue
      }
      const before = found.get(digest)
      found.set(digest, {
        names: before ? [...new Set([...before.names, ...all])] : all,
        ...{ platform, digest, open: () => imageOf(files, descriptor) },
      })
    }
  }
  collect(readDocument(index, 'index.json'), [], 0, 'index.json')
  return theOne([...found.values()], choice).open()
}

const isAttestation = ({ annotations, platform }: Descriptor): boolean =>
  platform === 'unknown/unknown' || annotations['vnd.docker.reference.type'] !== undefined

const namesIn = ({ annotations }: Descriptor): string[] =>
  ['org.opencontainers.image.ref.name', 'io.containerd.image.name']
    .map((key) => annotations[key])
    .filter((name): name is string => typeof name === 'string' && name !== '')

function theOne(candidates: readonly Candidate[], { image, platform }: Choice): Candidate {
  const fit = candidates.filter(
    (one) =>
      (image === undefined || one.digest === image || one.names.includes(image)) &&
      (platform === undefined || one.platform === undefined || one.platform === platform),
  )
  if (fit.length === 1) return fit[0]!
  const list = candidates
    .slice(0, 10)
    .map((one) => [one.names[0] ?? one.digest, one.platform].filter(Boolean).join(' for '))
  throw whichImage(
    candidates.length === 0
      ? 'It holds no image.'
      : `${fit.length === 0 ? 'It holds none such' : 'It holds several'}: ${list.join(', ')}. Say which with --image and --platform.`,
  )
}

/** The name of a blob is made of its digest alone. */
function blobName(digest: string): string {
  const { algorithm, hex } = readDigest(digest)
  return `blobs/${algorithm}/${hex}`
}

function blobOf(files: ImageFiles, { digest, size }: Descriptor, what: string): Bytes {
  const bytes = files.find(blobName(digest))
  if (!bytes) throw badImage(`${what} is missing: ${digest}.`)
  if (bytes.length !== size) throw badImage(`${what} has ${bytes.length} bytes, not ${size}.`)
  return bytes
}

function documentOf(files: ImageFiles, descriptor: Descriptor, what: string): unknown {
  const bytes = blobOf(files, descriptor, what)
  const { algorithm, hex } = readDigest(descriptor.digest)
  if (sumOf(bytes, algorithm) !== hex) throw badImage(`${what} does not have the bytes that its digest says.`)
  return readDocument(bytes, what)
}

const sumOf = (bytes: Bytes, algorithm: string): string =>
  createHash(algorithm)
    .update(readBytes(bytes, 8 << 20, 'A document of the image'))
    .digest('hex')

function imageOf(files: ImageFiles, descriptor: Descriptor): Chosen {
  const what = 'The manifest'
  const manifest = objectIn(documentOf(files, descriptor, what), what)
  const layers = listIn(manifest.layers, what).map((one) => readDescriptor(one, what))
  const plains = plainsIn(documentOf(files, readDescriptor(manifest.config, what), 'The configuration'))
  if (plains.length !== layers.length)
    throw badImage('Manifest and configuration of the image do not have the same layers.')
  return {
    digest: descriptor.digest,
    layers: layers.map((layer, i) => ({
      bytes: blobOf(files, layer, `Layer ${i + 1}`),
      stored: layer.digest,
      plain: plains[i]!,
    })),
  }
}

/** Digests of the layers before compression; a configuration without them is that of something else. */
function plainsIn(document: unknown): readonly string[] {
  const what = 'The configuration'
  const { rootfs } = objectIn(document, what)
  if (rootfs === undefined) throw badImage('This is no image of a file system.')
  const plains = textsIn(objectIn(rootfs, what).diff_ids, what)
  for (const digest of plains) readDigest(digest)
  return plains
}

/** The archive of `docker save`: a list of images with names of files. */
function chosenByList(files: ImageFiles, list: Bytes, choice: Choice): Chosen {
  const what = 'manifest.json'
  const find = (name: string): Bytes => {
    const bytes = files.find(name)
    if (!bytes) throw badImage(`${name.slice(0, 100)} is missing in the archive.`)
    return bytes
  }
  const candidates = listIn(readDocument(list, what), what).map((one): Candidate => {
    const { Config: config, RepoTags: tags, Layers: layers } = objectIn(one, what)
    if (typeof config !== 'string') throw badImage(`${what} names no configuration.`)
    const bytes = find(config)
    const digest = `sha256:${sumOf(bytes, 'sha256')}`
    const named = /([0-9a-f]{64})(\.json)?$/.exec(config)?.[1]
    if (named && digest !== `sha256:${named}`)
      throw badImage('The configuration does not have the bytes that its digest says.')
    const document = readDocument(bytes, 'The configuration')
    return {
      names: tags === undefined || tags === null ? [] : textsIn(tags, what),
      platform: platformOf(objectIn(document, 'The configuration')) || undefined,
      digest,
      open() {
        const plains = plainsIn(document)
        const names = textsIn(layers, what)
        if (plains.length !== names.length)
          throw badImage('Manifest and configuration of the image do not have the same layers.')
        return {
          digest,
          layers: names.map((name, i) => ({ bytes: find(name), stored: undefined, plain: plains[i]! })),
        }
      },
    }
  })
  return theOne(candidates, choice).open()
}

import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { grouped } from '../../kernel/grouped.ts'
import type { Clock } from '../../kernel/ports.ts'
import { type Certificate, readCertificates } from './certificate.ts'
import type { Authority, TrustAnchors } from './chain.ts'
import { type Crl, isCrlOf, readCrl } from './crl.ts'
import { keyOf } from './names.ts'
import { readNamespaces, readSigningPolicies, type SigningPolicy } from './signing-policy.ts'

export interface TrustDirectoryOptions {
  /**
   * As grid clients read them (X509_CERT_DIR): `<hash>.0`, `.r0`, `.signing_policy`, `.namespaces`, `.crl_url`. A PEM
   * file instead of a directory is a list of authorities that are trusted without limits.
   */
  readonly directories: readonly string[]
  readonly clock: Pick<Clock, 'now'>
  /** How long a list of revoked certificates counts after its successor was due; a day unless given. */
  readonly crlGraceMs?: number
  /** A file that could not be used, and why. */
  readonly onProblem?: (file: string, error: unknown) => void
}

export interface TrustDirectory {
  /** The anchors as the directory has them now. */
  current(): Promise<TrustAnchors & { readonly all: readonly TrustedAuthority[] }>
}

export interface TrustedAuthority extends Authority {
  /** Paths of its files without their endings: one for each hash, old and new, and directory. */
  readonly bases: readonly string[]
  /** Where it publishes its list. */
  readonly crlUrls: readonly string[]
}

const DAY_MS = 86_400_000
const LOOK_AGAIN_MS = 5000
const MOST_FILE_BYTES = 20 * 1024 * 1024
const FILE = /^([0-9a-f]{8})\.(\d+|r\d+|signing_policy|namespaces|crl_url)$/

interface Content {
  readonly certificates?: readonly Certificate[]
  readonly bundle?: readonly Certificate[]
  readonly crl?: Crl
  readonly policies?: readonly SigningPolicy[]
  readonly namespaces?: readonly SigningPolicy[]
  readonly urls?: readonly string[]
}

interface ReadFile {
  readonly path: string
  readonly base: string
  readonly stamp: string
  readonly content: Content
}

/** Reads the directories when first asked, and again what changed in them, looking at most every five seconds. */
export function openTrustDirectory(options: TrustDirectoryOptions): TrustDirectory {
  const { directories, clock, crlGraceMs = DAY_MS } = options
  let files = new Map<string, ReadFile>()
  let anchors: ReturnType<typeof anchorsOf> | undefined
  let lookedAt = -Infinity
  /** Said once, not every five seconds. */
  const missing = new Set<string>()
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    const seen = new Map<string, ReadFile>()
    for (const directory of directories) {
      const single = await lookAt(directory, true)
      if (single) {
        seen.set(single.path, single)
        continue
      }
      const names = await readdir(directory).catch((error) => {
        if (!missing.has(directory)) options.onProblem?.(directory, error)
        missing.add(directory)
        return undefined
      })
      if (!names) continue
      missing.delete(directory)
      for (const name of names.sort()) {
        const file = await lookAt(join(directory, name))
        if (file) seen.set(file.path, file)
      }
    }
    const same = seen.size === files.size && [...seen].every(([path, file]) => files.get(path) === file)
    if (!anchors || !same) anchors = anchorsOf([...seen.values()], crlGraceMs)
    files = seen
  }

  async function lookAt(path: string, bundle = false): Promise<ReadFile | undefined> {
    if (!bundle && !FILE.test(basename(path))) return undefined
    const facts = await stat(path).catch(() => undefined)
    if (!facts?.isFile() || facts.size > MOST_FILE_BYTES) return undefined
    const stamp = `${facts.mtimeMs} ${facts.size} ${facts.ino}`
    const known = files.get(path)
    if (known?.stamp === stamp) return known
    return { path, base: path.slice(0, path.lastIndexOf('.')), stamp, content: await contentOf(path, bundle) }
  }

  async function contentOf(path: string, bundle: boolean): Promise<Content> {
    try {
      const bytes = await readFile(path)
      return bundle
        ? { bundle: readCertificates(bytes.toString('utf8')) }
        : contentFrom(basename(path), bytes)
    } catch (error) {
      options.onProblem?.(path, error)
      return {}
    }
  }

  return {
    async current() {
      const now = clock.now().getTime()
      if (!looking && (!anchors || Math.abs(now - lookedAt) >= LOOK_AGAIN_MS)) {
        lookedAt = now
        looking = look().finally(() => {
          looking = undefined
        })
      }
      await looking
      return anchors ?? anchorsOf([], crlGraceMs)
    },
  }
}

function contentFrom(name: string, bytes: Buffer): Content {
  const ending = name.slice(name.indexOf('.') + 1)
  if (ending.startsWith('r') && /^r\d+$/.test(ending)) return { crl: readCrl(bytes) }
  const text = bytes.toString('utf8')
  if (ending === 'signing_policy') return { policies: readSigningPolicies(text) }
  if (ending === 'namespaces') return { namespaces: readNamespaces(text) }
  if (ending === 'crl_url') {
    return {
      urls: text
        .split(/\s+/)
        .filter((word) => URL.canParse(word) && /^https?:$/.test(new URL(word).protocol)),
    }
  }
  return { certificates: readCertificates(text) }
}

function anchorsOf(files: readonly ReadFile[], crlGraceMs: number) {
  const all = new Map<string, TrustedAuthority>()
  const from = <K extends keyof Content>(kind: K): NonNullable<Content[K]>[] =>
    files.flatMap(({ content }) => (content[kind] === undefined ? [] : [content[kind]!]))
  const policies = byIssuer(from('policies').flat())
  const namespaces = byIssuer(from('namespaces').flat())
  const crls = from('crl')
  for (const { base, content } of files) {
    for (const certificate of content.certificates ?? []) {
      const known = all.get(certificate.fingerprint)
      const own = files.filter((file) => file.base === base)
      const crlUrls = own.flatMap((file) => file.content.urls ?? [])
      // A list that cannot be used must not be as good as none.
      const listed = crlUrls.length > 0 || own.some((file) => /\.r\d+$/.test(file.path))
      all.set(certificate.fingerprint, {
        certificate,
        bases: [...new Set([...(known?.bases ?? []), base])],
        crlUrls: [...new Set([...(known?.crlUrls ?? []), ...crlUrls])],
        permits: permitsOf(certificate, policies, namespaces),
        crl: newest(crls.filter((crl) => isCrlOf(crl, certificate))),
        crlNeeded: (known?.crlNeeded ?? false) || listed,
      })
    }
  }
  // A directory knows more of an authority than a list does.
  const listed = from('bundle')
    .flat()
    .filter(({ fingerprint }) => !all.has(fingerprint))
  return { ...indexed([...all.values(), ...listed.map(unlimited)]), crlGraceMs }
}

function indexed(all: readonly TrustedAuthority[]) {
  const index = grouped(all, ({ certificate }) => certificate.subjectKey)
  return { all, authorities: (subjectKey: string) => index.get(subjectKey) ?? [] }
}

const byIssuer = (policies: readonly SigningPolicy[]) => grouped(policies, ({ issuer }) => keyOf(issuer))

/** Both files may limit an authority: each that is there must agree, and one must be there. */
function permitsOf(
  certificate: Certificate,
  policies: ReadonlyMap<string, readonly SigningPolicy[]>,
  namespaces: ReadonlyMap<string, readonly SigningPolicy[]>,
): Authority['permits'] {
  const kinds = [policies, namespaces].flatMap((kind) => {
    const own = kind.get(certificate.subjectKey)
    return own ? [own] : []
  })
  if (kinds.length === 0) return undefined
  return (subject) => kinds.every((own) => own.some((policy) => policy.permits(subject)))
}

function newest(crls: readonly Crl[]): Crl | undefined {
  return crls.reduce<Crl | undefined>(
    (best, crl) => (!best || crl.thisUpdate > best.thisUpdate ? crl : best),
    undefined,
  )
}

/** Anchors from a PEM text: any subject, no lists of revoked certificates. */
export function trustFromPem(pem: string): TrustAnchors {
  return { ...indexed(readCertificates(pem).map(unlimited)), crlGraceMs: 0 }
}

const unlimited = (certificate: Certificate): TrustedAuthority => ({
  ...{ certificate, bases: [], crlUrls: [], permits: undefined, crl: undefined, crlNeeded: false },
  unlimited: true,
})

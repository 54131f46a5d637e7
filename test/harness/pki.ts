import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nameFromSlash } from '../../src/identity/x509/names.ts'
import { signingPolicyText } from '../../src/identity/x509/signing-policy.ts'

/** A certificate that OpenSSL made, with its key, as files of one name. */
export interface Made {
  readonly name: string
  readonly subject: string
  readonly certificate: string
  readonly key: string
  readonly pem: string
}

export interface Wish {
  /** Slash form; "/" inside a value as "\/". */
  readonly subject: string
  readonly issuer?: Made
  /** Lines of an OpenSSL extension section; `[other]` sections may follow. */
  readonly extensions?: string
  /** `ec` (P-256), `P-384`, `rsa:2048`, … */
  readonly key?: string
  /** Sign the key of another certificate instead of a fresh one. */
  readonly keyOf?: Made
  readonly digest?: string
  readonly days?: number
  readonly serial?: string
}

export type ProxyLanguage = 'inheritAll' | 'limited' | 'independent' | 'unknown'

const LANGUAGES: Readonly<Record<ProxyLanguage, string>> = {
  inheritAll: '1.3.6.1.5.5.7.21.1',
  limited: '1.3.6.1.4.1.3536.1.1.1.9',
  independent: '1.3.6.1.5.5.7.21.2',
  unknown: '1.3.6.1.4.1.99999.1',
}

export const AUTHORITY =
  'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
export const PERSON =
  'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth'

/** Certificates of every kind, made by the OpenSSL program in a directory of their own. */
export function opensslPki() {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-pki-'))
  const at = (name: string): string => join(directory, name)
  let count = 0
  const openssl = (...args: string[]): string =>
    execFileSync('openssl', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

  function key(kind: string, file: string): void {
    const bits = /^rsa:(\d+)$/.exec(kind)?.[1]
    const { privateKey, publicKey } = bits
      ? generateKeyPairSync('rsa', { modulusLength: Number(bits) })
      : generateKeyPairSync('ec', { namedCurve: kind === 'ec' ? 'P-256' : kind })
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
    writeFileSync(`${file}.public`, publicKey.export({ format: 'pem', type: 'spki' }))
  }

  function make(wish: Wish): Made {
    const name = `c${count++}`
    const made = {
      name,
      subject: wish.subject,
      certificate: at(`${name}.pem`),
      key: wish.keyOf?.key ?? at(`${name}.key`),
    }
    if (!wish.keyOf) key(wish.key ?? 'ec', made.key)
    writeFileSync(at(`${name}.cnf`), `[ext]\n${wish.extensions ?? PERSON}\n`)
    const extensions = wish.extensions === '' ? [] : ['-extfile', `${name}.cnf`, '-extensions', 'ext']
    const signer = wish.issuer
      ? ['-force_pubkey', `${made.key}.public`, '-CA', wish.issuer.certificate, '-CAkey', wish.issuer.key]
      : ['-key', made.key]
    openssl(
      ...['x509', '-new', '-subj', wish.subject, '-out', made.certificate, `-${wish.digest ?? 'sha256'}`],
      ...['-days', String(wish.days ?? 30), '-set_serial', wish.serial ?? String(1000 + count)],
      ...signer,
      ...extensions,
    )
    return { ...made, pem: readFileSync(made.certificate, 'utf8') }
  }

  /** A proxy certificate; `common` is the name it adds. */
  function proxy(
    signer: Made,
    kind: 'rfc' | 'gt3' | 'gt2' = 'rfc',
    wish: Partial<Wish> & {
      language?: ProxyLanguage
      pathLength?: number
      common?: string
      critical?: boolean
    } = {},
  ): Made {
    const { language = 'inheritAll', pathLength, critical = true, ...rest } = wish
    const common =
      wish.common ??
      (kind === 'gt2' ? (language === 'limited' ? 'limited proxy' : 'proxy') : String(7000 + count))
    const mark = critical ? 'critical,' : ''
    const path = pathLength === undefined ? '' : `path=EXPLICIT:1,INTEGER:${pathLength}\n`
    const marks = {
      rfc: `proxyCertInfo=${mark}language:${LANGUAGES[language]}${pathLength === undefined ? '' : `,pathlen:${pathLength}`}`,
      gt3: `1.3.6.1.4.1.3536.1.222=${mark}ASN1:SEQUENCE:info`,
      gt2: 'keyUsage=critical,digitalSignature',
    }[kind]
    const sections =
      kind === 'gt3'
        ? `\n[info]\npolicy=SEQUENCE:policy\n${path}[policy]\nlanguage=OID:${LANGUAGES[language]}`
        : ''
    return make({
      subject: `${signer.subject}/CN=${common}`,
      issuer: signer,
      days: 1,
      ...rest,
      extensions: `${marks}${rest.extensions ? `\n${rest.extensions}` : ''}${sections}`,
    })
  }

  /** The file a grid client keeps: leaf, its key, then the issuers down to the person. */
  function proxyFile(chain: readonly Made[]): string {
    const [leaf, ...rest] = chain as [Made, ...Made[]]
    const file = at(`${leaf.name}.proxy`)
    const text = [leaf.pem, readFileSync(leaf.key, 'utf8'), ...rest.map(({ pem }) => pem)].join('')
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  /** A list of the authority that revokes those certificates, PEM. */
  function crl(
    authority: Made,
    revoked: readonly Made[] = [],
    options: { days?: number; digest?: string } = {},
  ): string {
    const name = `crl${count++}`
    writeFileSync(at(`${name}.txt`), '')
    writeFileSync(at(`${name}.number`), '01\n')
    writeFileSync(
      at(`${name}.cnf`),
      `[ca]\ndefault_ca=x\n[x]\ndatabase=${name}.txt\ncrlnumber=${name}.number\ndefault_md=${options.digest ?? 'sha256'}\n` +
        `default_crl_days=${options.days ?? 30}\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n`,
    )
    const common = ['ca', '-config', `${name}.cnf`, '-cert', authority.certificate, '-keyfile', authority.key]
    for (const { certificate } of revoked) openssl(...common, '-revoke', certificate)
    openssl(...common, '-gencrl', '-out', `${name}.pem`)
    return readFileSync(at(`${name}.pem`), 'utf8')
  }

  /** A trust directory as the IGTF ships it; `subjects` are the globs of the signing policy. */
  function trustDirectory(
    authorities: readonly { authority: Made; subjects?: readonly string[] | undefined; crl?: string }[],
  ): string {
    const trust = at(`trust${count++}`)
    mkdirSync(trust)
    for (const { authority, subjects, crl: list } of authorities) {
      const [hash, old] = ['-subject_hash', '-subject_hash_old'].map((option) =>
        openssl('x509', '-in', authority.certificate, '-noout', option).trim(),
      )
      for (const base of [hash, old]) {
        writeFileSync(join(trust, `${base}.0`), authority.pem)
        if (subjects)
          writeFileSync(
            join(trust, `${base}.signing_policy`),
            signingPolicyText(nameFromSlash(authority.subject), subjects),
          )
        if (list) writeFileSync(join(trust, `${base}.r0`), list)
      }
    }
    return trust
  }

  return {
    directory,
    openssl,
    make,
    authority: (subject: string, wish: Partial<Wish> = {}): Made =>
      make({ subject, extensions: AUTHORITY, days: 300, ...wish }),
    proxy,
    proxyFile,
    crl,
    trustDirectory,
    /** What OpenSSL itself thinks of a chain; it knows proxies of RFC 3820 only. */
    accepts(root: Made, chain: readonly Made[], ...options: string[]): boolean {
      const others = at(`chain${count++}.pem`)
      writeFileSync(
        others,
        chain
          .slice(1)
          .map(({ pem }) => pem)
          .join(''),
      )
      const untrusted = chain.length > 1 ? ['-untrusted', others] : []
      try {
        openssl(
          'verify',
          '-allow_proxy_certs',
          '-CAfile',
          root.certificate,
          ...untrusted,
          ...options,
          chain[0]!.certificate,
        )
        return true
      } catch {
        return false
      }
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export type Pki = ReturnType<typeof opensslPki>

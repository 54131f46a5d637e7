// Needs openssl.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Made, opensslPki } from '../../../test/harness/pki.ts'
import { readCertificates } from '../../identity/x509/certificate.ts'
import { verifyChain } from '../../identity/x509/chain.ts'
import { trustFromPem } from '../../identity/x509/trust.ts'
import { commandTree } from '../tree.ts'

const pki = opensslPki()
afterAll(() => pki.remove())
const root = pki.authority('/O=Grid/CN=Root')
const MIKA = '/O=Grid/CN=Mika'
let mika: Made
let out: string
let printed: string

beforeEach(() => {
  mika = pki.make({ subject: MIKA, issuer: root })
  out = join(pki.directory, `${mika.name}.proxy`)
  vi.stubEnv('X509_USER_PROXY', out)
  vi.stubEnv('X509_USER_CERT', mika.certificate)
  vi.stubEnv('X509_USER_KEY', mika.key)
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

async function kumi(...words: string[]): Promise<string> {
  printed = ''
  await (await commandTree(words[0])).parseAsync(words, { from: 'user' })
  return printed
}
const chain = (file = out) =>
  verifyChain(readCertificates(readFileSync(file, 'utf8')), {
    trust: trustFromPem(root.pem),
    now: new Date(),
  })

describe('kumi proxy init', () => {
  test('makes a proxy of a certificate in the usual place, for its owner only', async () => {
    expect(await kumi('proxy', 'init', '--hours', '2')).toContain(`Proxy of ${MIKA} in ${out}, valid for 2 h`)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(chain().proxies.map(({ kind }) => kind)).toEqual(['rfc3820'])
    expect(
      pki.openssl('verify', '-allow_proxy_certs', '-CAfile', root.certificate, '-untrusted', out, out),
    ).toContain('OK')
  })

  test('makes a limited one, and one of a proxy', async () => {
    await kumi('proxy', 'init', '--limited', '--hours', '1')
    expect(chain().limited).toBe(true)
    const child = join(pki.directory, 'child.proxy')
    await kumi('proxy', 'init', '--cert', out, '--out', child)
    const made = chain(child)
    expect([made.proxies.length, made.limited, made.expiresAt]).toEqual([2, true, chain().expiresAt])
  })

  test('asks for the passphrase of a sealed key', async () => {
    const sealed = join(pki.directory, 'sealed.key')
    pki.openssl('pkcs8', '-topk8', '-in', mika.key, '-out', sealed, '-passout', 'pass:open sesame')
    chmodSync(sealed, 0o600)
    const run = (passphrase: string) =>
      execFileSync(
        process.execPath,
        [join(import.meta.dirname, '../../../dist/src/cli/main.js'), 'proxy', 'init', '--key', sealed],
        {
          input: `${passphrase}\n`,
          stdio: ['pipe', 'pipe', 'pipe'],
          encoding: 'utf8',
        },
      )
    expect(run('open sesame')).toContain(MIKA)
    expect(() => run('wrong')).toThrow(/does not open/)
  })

  test('refuses a key that others may read, a foreign key, and what is no certificate', async () => {
    const code = (...words: string[]) =>
      kumi('proxy', 'init', ...words).then(
        () => 'made',
        (error) => error.code,
      )
    const other = pki.make({ subject: '/O=Grid/CN=Rin', issuer: root })
    expect(await code('--cert', mika.certificate, '--key', other.key)).toBe('unusable_certificate')
    expect(await code('--cert', mika.key, '--key', mika.key)).toBe('unusable_certificate')
    expect(await code('--cert', '/nowhere')).toBe('unusable_certificate')
    expect(await code('--hours', 'many')).toBe('invalid_hours')
    chmodSync(mika.key, 0o644)
    expect(await code()).toBe('unusable_certificate')
    expect(existsSync(out)).toBe(false)
  })

  test('does not write through a link that somebody laid', async () => {
    const victim = join(pki.directory, 'victim')
    writeFileSync(victim, 'untouched')
    symlinkSync(victim, out)
    await kumi('proxy', 'init')
    expect(readFileSync(victim, 'utf8')).toBe('untouched')
    expect(chain().proxies).toHaveLength(1)
  })
})

describe('kumi proxy info', () => {
  test('says whose it is, of which kind and how long it lasts; an ended one is a failure', async () => {
    await kumi('proxy', 'init', '--hours', '3')
    const facts = JSON.parse(await kumi('proxy', 'info', '--json'))
    expect(facts).toMatchObject({
      identity: MIKA,
      issuer: MIKA,
      type: 'RFC 3820 proxy',
      strength: '2048 bits RSA',
    })
    expect(facts.secondsLeft).toBeGreaterThan(3 * 3600 - 60)
    const file = pki.proxyFile([pki.proxy(mika, 'gt2', { language: 'limited' }), mika])
    expect(await kumi('proxy', 'info', '--file', file)).toContain('older proxy, limited')
    await expect(kumi('proxy', 'info', '--file', '/nowhere')).rejects.toThrow(/no proxy/)
    vi.useFakeTimers({ now: Date.now() + 4 * 3_600_000, toFake: ['Date'] })
    await expect(kumi('proxy', 'info')).rejects.toThrow(/has ended/)
    vi.useRealTimers()
  })
})

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCa, issueHostCertificate } from '../../identity/x509/certificates.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/src/cli/main.js')

/** The command runs as `kumi` starts it: what Node.js trusts by itself is settled once in a process. */
describe('whom a command trusts', () => {
  let [directory, own, other] = ['', '', '']
  let server: Server
  const ask = (environment: NodeJS.ProcessEnv) =>
    new Promise<string>((resolve) => {
      const url = `https://localhost:${(server.address() as AddressInfo).port}`
      const env = { PATH: process.env.PATH, HOME: directory, BEARER_TOKEN: 'a.b.c', KUMI_SERVER: url }
      const words = ['--use-openssl-ca', PROGRAM, 'rse', 'ls']
      execFile(process.execPath, words, { env: { ...env, ...environment } }, (_, out, error) =>
        resolve(`${out}${error}`),
      )
    })

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kumi-trust-'))
    const now = new Date()
    const [authority, foreign] = [
      await createCa({ name: 'Own', now }),
      await createCa({ name: 'Foreign', now }),
    ]
    ;[own, other] = [join(directory, 'own.pem'), join(directory, 'other.pem')]
    writeFileSync(own, authority.certificatePem)
    writeFileSync(other, foreign.certificatePem)
    const host = await issueHostCertificate({ ca: authority, names: ['localhost'], now })
    server = createServer({ cert: host.certificatePem, key: host.privateKeyPem }, (_, response) =>
      response.writeHead(418).end('reached'),
    ).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
  })
  afterAll(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  test('the authority that is named, and nobody else', async () => {
    expect(await ask({ KUMI_CA: own })).toContain('418')
    expect(await ask({ KUMI_CA: other, SSL_CERT_FILE: own })).toContain('is not trusted')
    expect(await ask({ KUMI_CA: other, NODE_EXTRA_CA_CERTS: own })).toContain('is not trusted')
  })

  test('without one, those of Node.js and of this machine, which need not be there', async () => {
    expect(await ask({})).toContain('is not trusted')
    expect(await ask({ NODE_EXTRA_CA_CERTS: own })).toContain('418')
    expect(await ask({ NODE_EXTRA_CA_CERTS: join(directory, 'none.pem') })).toContain('is not trusted')
  })
})

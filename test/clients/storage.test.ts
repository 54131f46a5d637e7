import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { everything, gatewayWorld } from '../harness/gateway-world.ts'

let world: Awaited<ReturnType<typeof gatewayWorld>>
beforeAll(async () => {
  world = await gatewayWorld(['kek', 'osaka'])
  await world.openIssuer()
  for (const site of world.sites) await world.startHere(site)
})
afterAll(() => world.close())

test('foreign clients store, fetch, list, rename, copy and remove files', { timeout: 120_000 }, async () => {
  const [kek, osaka] = world.sites
  const certificates = join(world.home, 'certificates')
  mkdirSync(certificates)
  const hash = execFileSync('openssl', ['x509', '-hash', '-noout', '-in', world.ca], {
    encoding: 'utf8',
  }).trim()
  copyFileSync(world.ca, join(certificates, `${hash}.0`))
  const token = join(world.home, 'token')
  writeFileSync(token, await world.mint(everything))
  const env = {
    ...process.env,
    KUMI_KEK: kek!.url(''),
    KUMI_OSAKA: osaka!.url(''),
    BEARER_TOKEN_FILE: token,
    X509_CERT_DIR: certificates,
    KUMI_CA: world.ca,
  }
  const { stdout } = await promisify(execFile)('bash', [join(import.meta.dirname, 'storage.sh')], {
    env,
  }).catch((error: { stdout: string }) => error)
  expect(stdout).toMatch(/\n[1-9]\d* passed, 0 failed\n$/)
})

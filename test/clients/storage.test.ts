import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { everything, gatewayWorld } from '../harness/gateway-world.ts'

describe.skipIf(missing('curl', 'davix-get', 'gfal-copy', 'rclone'))('the field’s storage clients', () => {
  let world: Awaited<ReturnType<typeof gatewayWorld>>
  beforeAll(async () => {
    world = await gatewayWorld(['kek', 'osaka'])
    await world.openIssuer()
    for (const site of world.sites) await world.startHere(site)
  })
  afterAll(() => world.close())

  test('foreign clients store, fetch, list, rename, copy and remove files', {
    timeout: 120_000,
  }, async () => {
    const [kek, osaka] = world.sites
    const token = join(world.home, 'token')
    writeFileSync(token, await world.mint(everything))
    const env = {
      ...process.env,
      KUMI_KEK: kek!.url(''),
      KUMI_OSAKA: osaka!.url(''),
      BEARER_TOKEN_FILE: token,
      X509_CERT_DIR: world.certificates,
      KUMI_CA: world.ca,
    }
    const { stdout } = await promisify(execFile)('bash', [join(import.meta.dirname, 'storage.sh')], {
      env,
    }).catch((error: { stdout: string }) => error)
    expect(stdout).toMatch(/\n[1-9]\d* passed, 0 failed\n$/)
  })
})

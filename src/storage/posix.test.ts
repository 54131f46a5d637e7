import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { driverContract } from './driver.contract.ts'
import { posixDriver } from './posix.ts'

const home = mkdtempSync(join(tmpdir(), 'kumi-posix-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

driverContract('posix', async () => {
  const driver = posixDriver(mkdtempSync(join(home, 'area-')))
  await driver.sweep()
  return driver
})

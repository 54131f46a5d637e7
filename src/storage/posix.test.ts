import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { driverContract } from './driver.contract.ts'
import { behavesAsTheModel } from './driver.model.ts'
import { posixDriver } from './posix.ts'

const home = mkdtempSync(join(tmpdir(), 'kumi-posix-'))
const areas: string[] = []
afterAll(() => {
  const left = areas.flatMap((area) => readdirSync(join(area, '.kumi', 'incoming')))
  rmSync(home, { recursive: true, force: true })
  expect(left, 'temporary files left by all of this').toEqual([])
})

async function fresh() {
  const area = mkdtempSync(join(home, 'area-'))
  areas.push(area)
  const driver = posixDriver(area)
  await driver.sweep()
  return driver
}

driverContract('posix', fresh)
behavesAsTheModel('posix', fresh, { runs: 300, local: true })

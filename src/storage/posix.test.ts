import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
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

async function fresh(options?: { summed: boolean }) {
  const area = mkdtempSync(join(home, 'area-'))
  areas.push(area)
  const driver = posixDriver(area, options)
  await driver.sweep()
  return driver
}

/** One that sums nothing while it writes: whoever asks afterwards is told what others are told at once. */
async function unsummed() {
  const driver = await fresh({ summed: false })
  const write: typeof driver.write = async (path, ...rest) => {
    const written = await driver.write(path, ...rest)
    return { ...written, ...(await driver.digest(path)) }
  }
  return { ...driver, write }
}

driverContract('posix', fresh)
behavesAsTheModel('posix', fresh, { runs: 300, local: true })
driverContract('unsummed posix', unsummed)
behavesAsTheModel('unsummed posix', unsummed, { runs: 300, local: true })

test('what replaces a file unsummed has none of its checksums, not even with the same length and time', async () => {
  const driver = await fresh({ summed: false })
  const write = (text: string) => driver.write(['f'], Readable.from([Buffer.from(text)]), { overwrite: true })
  const { created, ...sums } = await write('one')
  expect([created, sums]).toEqual([true, { size: 3 }])
  const first = await driver.digest(['f'])
  const { modified } = (await driver.stat(['f']))!
  await write('two')
  expect(await driver.recorded(['f'])).toBeUndefined()
  utimesSync(join(areas.at(-1)!, 'f'), modified, modified)
  expect(await driver.digest(['f'])).not.toEqual(first)
})

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PosixDriver, posixDriver } from '../storage/posix.ts'
import { usageCounter } from './usage.ts'

let home: string
let driver: PosixDriver
const never = new AbortController().signal

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'kumi-usage-'))
  await mkdir(join(home, 'area'))
  driver = posixDriver(join(home, 'area'))
  await driver.sweep()
  for (const [path, text] of [
    [['a', 'b', 'one'], 'one'],
    [['a', 'two'], 'second'],
    [['.trash', 'x'], 'gone'],
  ] as const) {
    const body = (async function* () {
      yield Buffer.from(text)
    })()
    await driver.write([...path], body, { overwrite: false })
  }
})
afterAll(() => rm(home, { recursive: true, force: true }))

test('an area is not said to be empty before it was counted', async () => {
  const usage = usageCounter(driver, join(home, 'none.json'))
  usage.change(5, 1)
  expect(usage.now()).toBeUndefined()
  await usage.recount(never)
  expect(usage.now()).toEqual({ bytes: 13, files: 3 })
})

test('a gateway that is started again knows at once what it held', async () => {
  const file = join(home, 'kept.json')
  const before = usageCounter(driver, file)
  await before.recount(never)
  before.change(100, 1)
  await before.save()
  const after = usageCounter(driver, file)
  expect(after.now()).toEqual({ bytes: 113, files: 4 })
  await after.recount(never)
  expect(after.now()).toEqual({ bytes: 13, files: 3 })
})

test('a broken note of it counts as none', async () => {
  const file = join(home, 'broken.json')
  for (const text of ['', '{"bytes":1', '{"bytes":"1","files":2}', 'null']) {
    await writeFile(file, text)
    expect(usageCounter(driver, file).now()).toBeUndefined()
  }
})

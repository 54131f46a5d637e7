import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { memoryDriver } from '../../src/storage/memory.ts'
import { testDatabase } from '../harness/database.ts'
import { REPOSITORY, softwareWorld, who } from '../harness/software-world.ts'

const database = testDatabase()

test('packs may lie in any storage that keeps to the contract', async () => {
  const storage = memoryDriver()
  const world = softwareWorld(database, { storage })
  const local = mkdtempSync(join(tmpdir(), 'kumi-anywhere-'))
  try {
    await world.begin()
    mkdirSync(join(local, 'lib'))
    writeFileSync(join(local, 'lib/great'), Buffer.alloc(20 << 20, 'great '))
    writeFileSync(join(local, 'lib/small'), 'first')
    await world.publish(local, '/08')
    writeFileSync(join(local, 'lib/small'), 'second')
    rmSync(join(local, 'lib/great'))
    await world.publish(local, '/08')
    await world.software.collect(REPOSITORY, 'demo', { keep: 1, account: who.account })
    expect(await world.problems()).toEqual([])
    expect(await world.contents()).toEqual({ '/08/lib/small': 'second' })
    expect((await storage.list([REPOSITORY, 'packs'])).length).toBeGreaterThan(0)
  } finally {
    rmSync(local, { recursive: true, force: true })
    await world.close()
  }
})

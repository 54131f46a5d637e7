import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { type SoftwareWorld, softwareWorld } from '../../test/harness/software-world.ts'
import { seededRng } from '../kernel/index.ts'
import { openStatCache } from './local/stat-cache.ts'

const database = testDatabase()
let world: SoftwareWorld
beforeAll(async () => {
  world = softwareWorld(database)
  await world.begin()
})
afterAll(() => world.close())

test('a repository is what a directory is, whatever happened there since it was noted', async () => {
  const rng = seededRng(20)
  const [changing, cacheFile] = [join(world.directory, 'changing'), join(world.directory, 'changing.cache')]
  const pick = <One>(some: readonly One[]): One => some[Math.floor(rng.next() * some.length)]!
  const directories = ['', 'a', 'a/inside', 'b', 'b.c', 'c', 'd'].map((name) => join(changing, name))
  for (const one of directories) mkdirSync(one)
  const past = new Date('2026-01-01')
  const happen: readonly ((file: string, other: string) => void)[] = [
    (file) => writeFileSync(file, String(rng.next())),
    (file) => {
      writeFileSync(file, pick(['one', 'two', 'six']))
      utimesSync(file, past, past)
    },
    (file) => rmSync(file, { force: true }),
    (file, other) => existsSync(file) && renameSync(file, other),
    (file, other) => existsSync(file) && !existsSync(other) && linkSync(file, other),
    (file) => existsSync(file) && chmodSync(file, pick([0o644, 0o755, 0o600])),
    (file, other) => {
      rmSync(file, { force: true })
      symlinkSync(other, file)
    },
    (file) => {
      mkdirSync(`${file}.d`, { recursive: true })
      writeFileSync(`${file}.d/${pick(['x', 'y'])}`, 'new')
    },
    (file) => rmSync(`${file}.d`, { recursive: true, force: true }),
  ]
  for (let round = 0; round < 30; round++) {
    const inside = pick(directories)
    for (let n = 0; n < 3; n++)
      pick(happen)(
        join(inside, pick(['1', '2', '3'])),
        join(pick([inside, pick(directories)]), pick(['2', '3', '4'])),
      )
    await world.publish(changing, '/changing', { cacheFile })
    // Compared with all that is published, line by line.
    expect(await world.publish(changing, '/changing')).toMatchObject({ unchanged: true })
    expect(await world.publish(changing, '/changing', { cacheFile })).toMatchObject({ unchanged: true })
  }
  expect(await world.problems()).toEqual([])
  const cache = openStatCache(cacheFile)!
  const known = [...cache.entries()].filter(({ inside }) => inside && inside.count > 0)
  cache.close()
  // Most directories needed no look at what is in them.
  expect(known.length).toBeGreaterThan(3)
})

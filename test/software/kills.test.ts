import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../harness/database.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld } from '../harness/software-world.ts'

const run = promisify(execFile)
const harness = join(import.meta.dirname, '../harness')
const database = testDatabase()
let world: SoftwareWorld
beforeAll(async () => {
  world = softwareWorld(database)
  await world.begin()
})
afterAll(() => world.close())

/** Where a run was killed, or at how many steps it came to its end. */
async function killedAt(step: number, hours: number, letter: string): Promise<{ done?: number }> {
  const program = ['--import', join(harness, 'typescript-loader.mjs'), join(harness, 'software-steps.ts')]
  try {
    const { stdout } = await run(process.execPath, [
      ...program,
      database.url,
      world.directory,
      String(step),
      String(hours),
      letter,
    ])
    return { done: Number(/done (\d+)/.exec(stdout)?.[1]) }
  } catch (error) {
    if ((error as { signal?: string }).signal !== 'SIGKILL') throw error
    return {}
  }
}

describe('publishing, going back and collecting', () => {
  test('may be killed after any step: what is served is always whole, and the next one goes on', async () => {
    const kept: string[] = []
    let before = (await world.reader()).manifest.revision
    // As many steps as there are: the run that is not killed any more ends it.
    for (let step = 1; ; step++) {
      const { done } = await killedAt(step, step, `s${step}`)
      expect(await world.problems(), `after step ${step}`).toEqual([])
      const { '/a/one': one, '/a/two': two } = await world.contents()
      expect(one, `after step ${step}`).toBe(two)
      const { revision } = (await world.reader()).manifest
      expect(revision, `after step ${step}`).toBeGreaterThanOrEqual(before)
      before = revision
      for (const { name } of (await world.software.describe(REPOSITORY, 'demo')).tags)
        if (!kept.includes(name)) kept.push(name)
      for (const name of kept.slice(-3))
        expect(await world.problems(name), `${name} after step ${step}`).toEqual([])
      if (done === undefined) continue
      expect(done).toBeGreaterThan(15)
      break
    }
    expect(kept.length).toBeGreaterThan(3)
  }, 600_000)
})

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../harness/database.ts'
import { runSteps } from '../harness/software-steps.ts'
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

/** Every step is tried, and of these, whose kinds differ, each in a process of its own; KUMI_KILLS=all takes one for all. */
const IN_A_PROCESS = { publish: [1, 4, 9], approve: [7] }
/** Of proposing and approving every third step is tried, unless all are. */
const STRIDE = process.env.KUMI_KILLS === 'all' ? 1 : 3
/** A process takes seconds to start, and a minute where others work. */
const LIMIT_MS = process.env.KUMI_KILLS === 'all' ? 3_600_000 : 600_000

/** Where a run was killed, or at how many steps it came to its end. */
function killedAt(step: number, work: Facts['work']): Promise<{ done?: number }> {
  const hours = work === 'publish' ? step : LATER_HOURS + step
  const facts = { url: database.url, directory: world.directory, hours, work, letter: `${work}-${step}` }
  if (process.env.KUMI_KILLS !== 'all' && !IN_A_PROCESS[work].includes(step)) return abandonedAt(step, facts)
  return killedProcess(step, facts)
}

type Facts = { url: string; directory: string; hours: number; work: 'publish' | 'approve'; letter: string }
/** What was left by one kind of work is over for the other. */
const LATER_HOURS = 100

/** All that a killed process leaves is left here, too: broken connections and what was written until then. */
async function abandonedAt(stopAt: number, facts: Facts): Promise<{ done?: number }> {
  let died = () => undefined as unknown
  const dead = new Promise<undefined>((resolve) => {
    died = () => resolve(undefined)
  })
  const { done, gone } = runSteps({ ...facts, stopAt, die: died })
  const steps = await Promise.race([done, dead])
  if (steps !== undefined) return { done: steps }
  await gone()
  return {}
}

async function killedProcess(step: number, facts: Facts): Promise<{ done?: number }> {
  const program = [
    '--import',
    join(harness, 'typescript-loader.mjs'),
    join(harness, 'software-steps-program.ts'),
  ]
  const { url, directory, hours, work, letter } = facts
  try {
    const { stdout } = await run(process.execPath, [
      ...program,
      url,
      directory,
      String(step),
      String(hours),
      work,
      letter,
    ])
    return { done: Number(/done (\d+)/.exec(stdout)?.[1]) }
  } catch (error) {
    if ((error as { signal?: string }).signal !== 'SIGKILL') throw error
    return {}
  }
}

describe('publishing, going back and collecting', () => {
  test(
    'may be killed after any step: what is served is always whole, and the next one goes on',
    async () => {
      const kept: string[] = []
      let before = (await world.reader()).manifest.revision
      // As many steps as there are: the run that is not killed any more ends it.
      for (let step = 1; ; step++) {
        const { done } = await killedAt(step, 'publish')
        expect(await world.problems(), `after step ${step}`).toEqual([])
        const { '/a/one': one, '/a/two': two } = await world.contents()
        expect(one, `after step ${step}`).toBe(two)
        const { revision } = (await world.reader()).manifest
        expect(revision, `after step ${step}`).toBeGreaterThanOrEqual(before)
        before = revision
        for (const { name } of (await world.software.describe(REPOSITORY, 'demo')).tags)
          if (!kept.includes(name)) kept.push(name)
        if (done === undefined) continue
        expect(done).toBeGreaterThan(10)
        break
      }
      expect(kept.length).toBeGreaterThan(3)
      for (const name of kept) expect(await world.problems(name), name).toEqual([])
    },
    LIMIT_MS,
  )

  test(
    'may be killed after any step of proposing and approving: what is proposed is whole, or not proposed',
    async () => {
      const approved = new Set<string>()
      for (let step = 1; ; step += STRIDE) {
        const { done } = await killedAt(step, 'approve')
        expect(await world.problems(), `after step ${step}`).toEqual([])
        const { '/b/one': one, '/b/two': two } = await world.contents()
        expect(one, `after step ${step}`).toBe(two)
        for (const { state, rootHash, tag, put } of await world.software.proposals('demo', {
          ...{ all: true, limit: 500 },
        })) {
          if (state === 'committed') approved.add(tag!)
          // What is over may be collected.
          if (state !== 'proposed' || rootHash === null) continue
          const files = await world.contents(rootHash)
          expect(files['/b/one'], `after step ${step}`).toBe(files['/b/two'])
          if (put > 0n) expect(files['/b/one'], `after step ${step}`).toMatch(/^approve-/)
        }
        // Whatever was approved is published, and nothing else.
        const tags = (await world.software.describe(REPOSITORY, 'demo')).tags.map(({ name }) => name)
        expect(tags.filter((name) => name.startsWith('approve-')).sort()).toEqual([...approved].sort())
        if (done === undefined) continue
        expect(done).toBeGreaterThan(10)
        break
      }
      expect(approved.size).toBeGreaterThan(1)
      for (const name of approved) {
        expect(await world.problems(name), name).toEqual([])
        expect((await world.contents(name))['/b/one']).toBe(name)
      }
      const waiting = await world.software.proposals('demo', { all: false, limit: 500 })
      const newest = waiting.find(({ kind }) => kind === 'publish')!
      await world.software.approve('demo', { id: newest.id, account: 'aki' })
      expect((await world.contents())['/b/two']).toMatch(/ waits$/)
    },
    LIMIT_MS,
  )
})

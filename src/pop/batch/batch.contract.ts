import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { BatchSystem } from './batch-system.ts'

export interface BatchWorld {
  /** A batch system over the same state: what another run of the program would see. */
  again(): BatchSystem
  /** A pilot that ends at once with a code, or (`forever`) not by itself; it writes its stamp to `mark` when it begins. */
  pilot(stamp: string, behaviour: { code: number } | 'forever'): Record<string, unknown>
  /** Kills the pilot as the kernel or an operator would. */
  kill(stamp: string): Promise<void>
  readonly mark: string
}

const TIMEOUT = { timeout: 30_000, interval: 20 }

/** What every batch system must do, whatever is behind it. */
export function batchContract(name: string, world: () => BatchWorld): void {
  const stateOf = async (batch: BatchSystem, stamp: string) =>
    (await batch.list()).find((pilot) => pilot.stamp === stamp)?.state
  const reaches = (batch: BatchSystem, stamp: string, state: string | undefined) =>
    expect.poll(() => stateOf(batch, stamp), TIMEOUT).toBe(state)
  const begun = () =>
    existsSync(world().mark) ? readFileSync(world().mark, 'utf8').split('\n').filter(Boolean) : []

  describe(`the batch system "${name}"`, () => {
    test('runs a pilot and tells how it ended', async () => {
      const { again, pilot } = world()
      const batch = again()
      await batch.submit(['good'], async (stamp) => pilot(stamp, { code: 0 }))
      await batch.submit(['bad'], async (stamp) => pilot(stamp, { code: 3 }))
      await reaches(batch, 'good', 'Done')
      await reaches(batch, 'bad', 'Failed')
      await batch.forget(['good', 'bad'])
      expect(await batch.list()).toEqual([])
    })

    test('starts a pilot once, however often it is asked, also after a restart', async () => {
      const { again, pilot, mark } = world()
      writeFileSync(mark, '')
      const batch = again()
      const order = async (stamp: string) => pilot(stamp, 'forever')
      await batch.submit(['once'], order)
      await batch.submit(['once'], order)
      await again().submit(['once'], order)
      await expect.poll(begun, TIMEOUT).toEqual(['once'])
      // Some batch systems say later than the pilot itself that it runs.
      await reaches(again(), 'once', 'Running')
      await batch.cancel(['once'], 5000)
      expect(begun()).toEqual(['once'])
      await batch.forget(['once'])
    })

    test('ends pilots when asked, those that do not listen too, and does not forget a running one', async () => {
      const { again, pilot } = world()
      const batch = again()
      await batch.submit(['stays'], async (stamp) => pilot(stamp, 'forever'))
      await reaches(batch, 'stays', 'Running')
      await batch.forget(['stays'])
      expect(await stateOf(batch, 'stays')).toBe('Running')
      await batch.cancel(['stays', 'unknown'], 0)
      expect(await stateOf(batch, 'stays')).not.toBe('Running')
      await batch.forget(['stays'])
    })

    test('notices when a pilot was killed', async () => {
      const { again, pilot, kill } = world()
      const batch = again()
      await batch.submit(['killed'], async (stamp) => pilot(stamp, 'forever'))
      await reaches(batch, 'killed', 'Running')
      await kill('killed')
      await reaches(again(), 'killed', 'Failed')
      await batch.forget(['killed'])
    })
  })
}

import type { RseTable } from '../../src/catalog/index.ts'
import { type Db, silentLogger, systemClock, systemPorts } from '../../src/kernel/index.ts'
import type { CopyStore, DeletionDeps } from '../../src/placement/index.ts'
import type { Pace } from './paced.ts'

export const DAY = 86_400
export const begin = new Date('2026-01-01T00:00:00Z')
export const later = (seconds: number) => new Date(begin.getTime() + seconds * 1000)

/** The bytes of the world: what really lies at each storage. `good` is false after silent rot. */
export class World implements CopyStore {
  readonly files = new Map<number, { good: boolean }>()
  readonly bin = new Map<string, { rse: number; copy: { good: boolean } }>()

  async trash(rse: { id: number }, _file: unknown, id: string): Promise<void> {
    const copy = this.files.get(rse.id)
    if (!copy) return
    this.files.delete(rse.id)
    this.bin.set(id, { rse: rse.id, copy })
  }
  async restore(rse: { id: number }, _file: unknown, id: string): Promise<void> {
    const thrown = this.bin.get(id)
    if (!thrown) return
    this.bin.delete(id)
    this.files.set(rse.id, thrown.copy)
  }
  async purge(_rse: unknown, id: string): Promise<void> {
    this.bin.delete(id)
  }
  /** What is kept beside the bytes says nothing of rot. */
  async verify(rse: { id: number }, _file: unknown, checksum: 'kept' | 'anew'): Promise<boolean> {
    const copy = this.files.get(rse.id)
    return copy !== undefined && (checksum === 'kept' || copy.good)
  }
  rot(rseId: number): void {
    const copy = this.files.get(rseId)
    if (copy) copy.good = false
  }
  goodCopies(): number {
    return [...this.files.values()].filter((copy) => copy.good).length
  }
}

/** The same world as one process meets it: every effect is a step at which it may be stopped or killed. */
export const seenBy = (world: World, { step }: Pick<Pace, 'step'>): CopyStore => ({
  trash: (rse, file, id) => step(() => world.trash(rse, file, id)),
  restore: (rse, file, id) => step(() => world.restore(rse, file, id)),
  purge: (rse, id) => step(() => world.purge(rse, id)),
  verify: (rse, file, checksum) => step(() => world.verify(rse, file, checksum)),
})

/** A deleter of that world. */
export const deleterOf = (
  copies: CopyStore,
  { db, rses, floor, owner = 'heir' }: { db: Db; rses: RseTable; floor: number; owner?: string },
): DeletionDeps => ({
  ...{ db, copies, owner, rses, log: silentLogger, ids: systemPorts.ids },
  ...{ floor: () => floor, verifiedWithinSeconds: DAY, graceSeconds: 0 },
  clock: { ...systemClock, now: () => later(0) },
})

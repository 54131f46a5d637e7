import type { Clock } from '../kernel/index.ts'
import { arrivedDifferent, arrivedMissing, noProgress } from './errors.ts'
import type { FileFacts, Mover, Place } from './mover.ts'
import { sameFile } from './mover.ts'

export interface Move {
  readonly source: Place
  readonly destination: Place
  readonly expected: FileFacts
  readonly overwrite: boolean
  /** An earlier start may have finished without our knowing. */
  readonly lookFirst: boolean
}

/** What a running copy shows to those who watch it. */
export interface MoveProgress {
  bytes: bigint
  verifying: boolean
  /** When bytes last grew, in ms. */
  movedAt: number
}

/** A copy that moves no byte for this long is given up; a storage may take longer to sum up a large file. */
export const STALL_MS = 120_000
export const VERIFY_MS = 600_000

/** Copies one file and asks the destination whether it is the right one. Throws a GridError. */
export async function moveOne(
  mover: Mover,
  move: Move,
  progress: MoveProgress,
  watch: { clock: Clock; signal: AbortSignal; moved: (bytes: number) => void },
): Promise<'done' | 'adopted'> {
  const { destination, expected } = move
  const { clock, signal } = watch
  progress.movedAt = clock.now().getTime()
  if (move.lookFirst) {
    const found = await mover.stat(destination, signal)
    if (found && sameFile(expected, found)) return 'adopted'
  }
  await mover.copy({
    source: move.source,
    destination,
    expected,
    overwrite: move.overwrite || move.lookFirst,
    signal,
    onProgress(bytes) {
      if (bytes <= progress.bytes) return
      watch.moved(Number(bytes - progress.bytes))
      progress.bytes = bytes
      progress.movedAt = clock.now().getTime()
    },
  })
  if (expected.bytes > progress.bytes) watch.moved(Number(expected.bytes - progress.bytes))
  progress.bytes = expected.bytes
  progress.verifying = true
  progress.movedAt = clock.now().getTime()
  const found = await mover.stat(destination, signal)
  if (!found)
    throw arrivedMissing('The storage said the copy succeeded, but there is no such file.', {
      party: 'destination',
    })
  if (!sameFile(expected, found))
    throw arrivedDifferent(
      `The copy at the destination is not the file: ${found.bytes} bytes, adler32 ${found.adler32 ?? 'unknown'}; expected ${expected.bytes} bytes, adler32 ${expected.adler32 ?? 'unknown'}.`,
      { party: 'destination' },
    )
  return 'done'
}

/** The reason to give a silent copy up, if it is one. */
export function stalled(progress: MoveProgress, now: Date): Error | undefined {
  const silentMs = now.getTime() - progress.movedAt
  if (silentMs < (progress.verifying ? VERIFY_MS : STALL_MS)) return undefined
  return noProgress(`No byte moved for ${Math.round(silentMs / 1000)} s.`, { party: 'transfer' })
}

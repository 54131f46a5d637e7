import type { Destination } from './types.ts'

/** The destination that is furthest behind its share; of several the first. */
export function destinationOf(
  destinations: readonly Destination[],
  filesAt: ReadonlyMap<number, number>,
): number {
  const shares = destinations.reduce((sum, { share }) => sum + share, 0)
  const files = [...filesAt.values()].reduce((sum, n) => sum + n, 0)
  let [best, most] = [0, Number.NEGATIVE_INFINITY]
  for (const [i, { share }] of destinations.entries()) {
    const behind = ((files + 1) * share) / shares - (filesAt.get(i) ?? 0)
    if (behind > most + 1e-9) [best, most] = [i, behind]
  }
  return best
}

/** Datablock `sub07` of a step's dataset. */
export const blockName = (production: string, step: string, n: number): string =>
  `${datasetName(production, step)}.sub${String(n).padStart(2, '0')}`

/** The container of all datablocks of a step. */
export const datasetName = (production: string, step: string): string => `${production}.${step}`

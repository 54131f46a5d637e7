import { asBuilt, type Constants, DESIGN } from './detector.ts'

/** Constants with the runs for which they hold. */
export interface Payload extends Constants {
  readonly experiment: number
  readonly firstRun: number
  readonly lastRun: number
}

/** The constants of a run; of several payloads the last. Throws where the tag has none. */
export function constantsFor(payloads: readonly Payload[], experiment: number, run: number): Constants {
  const found = payloads.findLast(
    (payload) => payload.experiment === experiment && payload.firstRun <= run && run <= payload.lastRun,
  )
  if (!found) throw new Error(`these conditions hold nothing for experiment ${experiment}, run ${run}`)
  return found
}

/** What a calibration finds for each of these runs: nearly what was built. */
export const calibrated = (experiment: number, firstRun: number, lastRun: number): Payload[] =>
  Array.from({ length: lastRun - firstRun + 1 }, (_, i): Payload => {
    const { field, rotations } = asBuilt(experiment, firstRun + i)
    return {
      ...{ experiment, firstRun: firstRun + i, lastRun: firstRun + i },
      field: Number(field.toFixed(4)),
      rotations: rotations.map((angle) => Number(angle.toFixed(6))),
    }
  })

/** One payload for everything: what is used before anybody calibrated. */
export const nominal = (experiment: number, firstRun: number, lastRun: number): Payload[] => [
  { experiment, firstRun, lastRun, ...DESIGN },
]

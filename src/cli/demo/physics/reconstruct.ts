import { constantsFor, type Payload } from './conditions.ts'
import { BLUR, type Constants, HALF_LENGTH, LAYERS, PITCH, SILENT } from './detector.ts'
import type { Mdst, Raw } from './events.ts'
import { type Fitted, fitHelix, type Measurement } from './helix.ts'

/** Half way between what a pion and a muon reach in the iron, and how sharply they part. */
const PARTING = { at: 6.5, width: 0.9 }

/** Tracks of raw events, by the constants that a tag of conditions has for their runs. Every event stays. */
export function reconstruct(events: readonly Raw[], payloads: readonly Payload[]): Mdst[] {
  return events.map((raw) => {
    const { experiment, run, event } = raw
    const constants = constantsFor(payloads, experiment, run)
    const tracks = Array.from({ length: raw.n }, (_, k) => trackOf(raw, k, constants)).filter(
      (track) => track !== undefined,
    )
    const all = (of: (track: Track) => number) => tracks.map(of)
    return {
      ...{ experiment, run, event, n: tracks.length, charge: all(({ charge }) => charge) },
      ...{ px: all(({ px }) => px), py: all(({ py }) => py), pz: all(({ pz }) => pz) },
      ...{ chi2: all(({ chi2 }) => chi2), muon: all(({ muon }) => muon) },
    }
  })
}

interface Track extends Fitted {
  /** Probability that it is a muon. */
  readonly muon: number
}

function trackOf({ around, along, depth }: Raw, k: number, constants: Constants): Track | undefined {
  const measured = LAYERS.flatMap((radius, layer): Measurement[] => {
    const channel = around[k * LAYERS.length + layer]!
    if (channel === SILENT) return []
    const phi = ((channel + 0.5) * PITCH.around) / radius - constants.rotations[layer]!
    const z = (along[k * LAYERS.length + layer]! + 0.5) * PITCH.along - HALF_LENGTH
    return [{ radius, phi, z }]
  })
  const fitted = fitHelix(measured, constants.field, BLUR)
  return fitted && { ...fitted, muon: 1 / (1 + Math.exp((PARTING.at - depth[k]!) / PARTING.width)) }
}

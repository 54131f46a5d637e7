import { dice } from './rng.ts'

/** Radii of the tracking layers in metres. */
export const LAYERS = [0.04, 0.08, 0.14, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1] as const
/** Tracks of an event at most. */
export const MOST = 8
/** Width of a channel along the layer, and along the beam, in metres. */
export const PITCH = { around: 1e-4, along: 1e-3 }
/** Scattering and noise of one measurement around the beam, in metres. */
export const BLUR = 3.5e-4
/** Half the length of the detector, in metres. */
export const HALF_LENGTH = 3
/** No signal in a layer. */
export const SILENT = -1

/** What must be known of the detector to make momenta of its signals. */
export interface Constants {
  /** Tesla. */
  readonly field: number
  /** By how much each layer is turned around the beam, in radian. */
  readonly rotations: readonly number[]
}

/** The detector on paper. */
export const DESIGN: Constants = { field: 1.5, rotations: LAYERS.map(() => 0) }

/** The detector as it was in a run: the current of the magnet drifts, and the layers move when it is switched. */
export function asBuilt(experiment: number, run: number): Constants {
  const { unit, normal } = dice(experiment * 100_003 + run)
  const drift = 0.012 + 0.006 * unit()
  return {
    field: DESIGN.field * (1 + (unit() < 0.5 ? -drift : drift)),
    rotations: LAYERS.map(() => 2e-4 * normal()),
  }
}

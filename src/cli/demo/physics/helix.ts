/** GeV per tesla and metre of radius, for one elementary charge. */
const BEND = 0.299792458

export interface Momentum {
  readonly px: number
  readonly py: number
  readonly pz: number
}

/** Where a particle from the collision point crosses a cylinder around the beam. */
export interface Crossing {
  /** Azimuth in radian. */
  readonly phi: number
  /** Along the beam, in metres. */
  readonly z: number
}

/** Undefined where the magnet bends it back before it comes so far. */
export function crossing(
  { px, py, pz }: Momentum,
  charge: number,
  field: number,
  radius: number,
): Crossing | undefined {
  const pt = Math.hypot(px, py)
  const turn = (BEND * field * radius) / (2 * pt)
  if (turn >= 1) return undefined
  const angle = Math.asin(turn)
  return { phi: Math.atan2(py, px) - charge * angle, z: (angle / turn) * radius * (pz / pt) }
}

export interface Measurement extends Crossing {
  readonly radius: number
}

export interface Fitted extends Momentum {
  readonly charge: 1 | -1
  /** Per degree of freedom, for measurements as precise as `precision`. */
  readonly chi2: number
}

const ROUNDS = 5

/** The momentum of a particle from the collision point by its measurements: least squares in azimuth, then along the beam. */
export function fitHelix(
  measured: readonly Measurement[],
  field: number,
  precision: number,
): Fitted | undefined {
  if (measured.length < 5) return undefined
  const first = measured[0]!.phi
  const phis = measured.map(({ phi }) => first + nearest(phi - first))
  // phi = phi0 - asin(bend * radius): straightened at the present bend, round after round.
  let [phi0, bend] = [first, 0]
  for (let round = 0; round < ROUNDS; round++) {
    let [w, wx, wxx, wy, wxy] = [0, 0, 0, 0, 0]
    for (const [i, { radius }] of measured.entries()) {
      const turn = clamp(bend * radius)
      const slope = -radius / Math.sqrt(1 - turn * turn)
      const rest = phis[i]! - (phi0 - Math.asin(turn))
      const weight = radius * radius
      w += weight
      wx += weight * slope
      wxx += weight * slope * slope
      wy += weight * rest
      wxy += weight * slope * rest
    }
    const determinant = w * wxx - wx * wx
    if (determinant === 0) return undefined
    phi0 += (wxx * wy - wx * wxy) / determinant
    bend += (w * wxy - wx * wy) / determinant
  }
  if (bend === 0 || !Number.isFinite(bend)) return undefined
  let [sum, sz, ss] = [0, 0, 0]
  for (const [i, { radius, z }] of measured.entries()) {
    const angle = Math.asin(clamp(bend * radius))
    sum += ((radius * (phis[i]! - (phi0 - angle))) / precision) ** 2
    const path = angle / bend
    sz += path * z
    ss += path * path
  }
  const pt = (BEND * field) / (2 * Math.abs(bend))
  return {
    ...{ px: pt * Math.cos(phi0), py: pt * Math.sin(phi0), pz: (pt * sz) / ss },
    charge: bend > 0 ? 1 : -1,
    chi2: sum / (measured.length - 2),
  }
}

const clamp = (turn: number): number => Math.max(-0.999, Math.min(0.999, turn))
/** The same direction, within half a turn. */
const nearest = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI))

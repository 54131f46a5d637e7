import { MOST } from './detector.ts'
import type { Generated } from './events.ts'
import type { Momentum } from './helix.ts'
import { type Dice, dice } from './rng.ts'

/** GeV. */
export const MASS = { muon: 0.1056584, jpsi: 3.0969 }
const PDG = { muon: 13, pion: 211 }
/** Parts of the events with a J/psi that becomes two muons, and with two muons of nothing in particular. */
const SIGNAL = 0.3
const BACKGROUND = 0.55

/** Collisions, each with some pions; the same for the same seed. */
export function generate(order: {
  readonly experiment: number
  readonly run: number
  readonly events: number
  readonly seed: number
  /** Number of the first event in the run. */
  readonly firstEvent: number
}): Generated[] {
  const { experiment, run, events, seed, firstEvent } = order
  const random = dice(seed)
  return Array.from({ length: events }, (_, i) => {
    const kind = random.unit()
    const muons =
      kind < SIGNAL
        ? jpsiToMuons(random)
        : kind < SIGNAL + BACKGROUND
          ? [direction(random, 1.2 + 1.2 * random.unit()), direction(random, 1.2 + 1.2 * random.unit())]
          : []
    const sign = random.unit() < 0.5 ? 1 : -1
    const pions = Array.from({ length: 2 + Math.floor((MOST - 3) * random.unit()) }, () =>
      direction(random, 0.2 - 0.6 * Math.log(1 - random.unit())),
    )
    // A negative muon has the positive number.
    const particles = [
      ...muons.map((momentum, k) => ({ pdg: PDG.muon * (k === 0 ? sign : -sign), momentum })),
      ...pions.map((momentum) => ({ pdg: PDG.pion * (random.unit() < 0.5 ? 1 : -1), momentum })),
    ].slice(0, MOST)
    return {
      ...{
        experiment,
        run,
        event: firstEvent + i,
        n: particles.length,
        pdg: particles.map(({ pdg }) => pdg),
      },
      px: particles.map(({ momentum }) => momentum.px),
      py: particles.map(({ momentum }) => momentum.py),
      pz: particles.map(({ momentum }) => momentum.pz),
    }
  })
}

/** Any direction that the detector sees. */
function direction({ unit }: Dice, p: number): Momentum {
  const cos = 1.7 * (unit() - 0.5)
  const phi = 2 * Math.PI * unit()
  const pt = p * Math.sqrt(1 - cos * cos)
  return { px: pt * Math.cos(phi), py: pt * Math.sin(phi), pz: p * cos }
}

/** Back to back where the J/psi rests, then as it flies. */
function jpsiToMuons(random: Dice): Momentum[] {
  const flight = direction(random, 0.2 + 1.6 * random.unit())
  const p = Math.sqrt((MASS.jpsi / 2) ** 2 - MASS.muon ** 2)
  const cos = 2 * random.unit() - 1
  const phi = 2 * Math.PI * random.unit()
  const pt = p * Math.sqrt(1 - cos * cos)
  const one = { px: pt * Math.cos(phi), py: pt * Math.sin(phi), pz: p * cos }
  const other = { px: -one.px, py: -one.py, pz: -one.pz }
  return [boosted(one, flight), boosted(other, flight)]
}

function boosted(muon: Momentum, flight: Momentum): Momentum {
  const energy = MASS.jpsi / 2
  const whole = Math.hypot(MASS.jpsi, flight.px, flight.py, flight.pz)
  const along = muon.px * flight.px + muon.py * flight.py + muon.pz * flight.pz
  const share = (energy + along / (whole + MASS.jpsi)) / MASS.jpsi
  return {
    px: muon.px + share * flight.px,
    py: muon.py + share * flight.py,
    pz: muon.pz + share * flight.pz,
  }
}

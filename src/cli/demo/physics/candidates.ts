import type { Candidate, Mdst } from './events.ts'
import { MASS } from './generate.ts'

/** Surely enough a muon. */
const MUON = 0.5
/** GeV: what is worth keeping. */
const WINDOW = { from: 2, to: 4.5 }

/** Events with two muons of opposite charge and a mass worth a look. */
export const skim = (events: readonly Mdst[]): Mdst[] =>
  events.filter((event) => bestPair(event) !== undefined)

/** One line for each event of the skim: its best pair of muons. */
export const candidates = (events: readonly Mdst[]): Candidate[] =>
  events.flatMap((event) => bestPair(event) ?? [])

/** The pair whose tracks fit best. */
function bestPair(event: Mdst): Candidate | undefined {
  let best: Candidate | undefined
  for (let i = 0; i < event.n; i++)
    for (let k = i + 1; k < event.n; k++) {
      if (event.charge[i] === event.charge[k]) continue
      if (event.muon[i]! < MUON || event.muon[k]! < MUON) continue
      const pair = together(event, i, k)
      if (pair.mass < WINDOW.from || pair.mass > WINDOW.to) continue
      if (!best || pair.chi2 < best.chi2) best = pair
    }
  return best
}

function together(event: Mdst, i: number, k: number): Candidate {
  const energy = (j: number) => Math.hypot(MASS.muon, event.px[j]!, event.py[j]!, event.pz[j]!)
  const [px, py, pz] = [event.px[i]! + event.px[k]!, event.py[i]! + event.py[k]!, event.pz[i]! + event.pz[k]!]
  const p = Math.hypot(px, py, pz)
  return {
    ...{ experiment: event.experiment, run: event.run, event: event.event, p },
    mass: Math.sqrt(Math.max(0, (energy(i) + energy(k)) ** 2 - p * p)),
    cosTheta: p > 0 ? pz / p : 0,
    chi2: event.chi2[i]! + event.chi2[k]!,
  }
}

import { asBuilt, BLUR, HALF_LENGTH, LAYERS, PITCH, SILENT } from './detector.ts'
import type { Generated, Raw } from './events.ts'
import { crossing } from './helix.ts'
import { dice } from './rng.ts'

/** So many layers of iron, on average, for what interacts strongly and what does not. */
const DEPTH = { pion: 3, muon: 10, spread: 1.8, iron: 14 }

/** What the detector, as it was in that run, says of generated events: channels, nothing else. */
export function simulate(events: readonly Generated[], seed: number): Raw[] {
  const random = dice(seed ^ 0x5117)
  return events.map(({ experiment, run, event, n, pdg, px, py, pz }) => {
    const { field, rotations } = asBuilt(experiment, run)
    const around: number[] = []
    const along: number[] = []
    const depth: number[] = []
    for (let k = 0; k < n; k++) {
      const momentum = { px: px[k]!, py: py[k]!, pz: pz[k]! }
      const isMuon = Math.abs(pdg[k]!) === 13
      const charge = pdg[k]! > 0 === isMuon ? -1 : 1
      for (const [layer, radius] of LAYERS.entries()) {
        const at = crossing(momentum, charge, field, radius)
        const seen = at && Math.abs(at.z) < HALF_LENGTH
        const angle = seen ? at.phi + rotations[layer]! + (BLUR / radius) * random.normal() : 0
        around.push(seen ? Math.floor((full(angle) * radius) / PITCH.around) : SILENT)
        along.push(seen ? Math.floor((at.z + HALF_LENGTH) / PITCH.along) : SILENT)
      }
      const mean = isMuon ? DEPTH.muon : DEPTH.pion
      const reached = Math.round(mean + DEPTH.spread * random.normal())
      depth.push(Math.max(0, Math.min(DEPTH.iron, reached)))
    }
    return { experiment, run, event, n, around, along, depth }
  })
}

/** In [0, 2 pi). */
const full = (angle: number): number => angle - 2 * Math.PI * Math.floor(angle / (2 * Math.PI))

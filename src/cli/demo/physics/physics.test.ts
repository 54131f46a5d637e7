import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readRootEvents } from '../../data/root-events.ts'
import { candidates, skim } from './candidates.ts'
import { calibrated, nominal } from './conditions.ts'
import { asBuilt, DESIGN } from './detector.ts'
import { LEVELS, type Level, readEvents, writeEvents } from './events.ts'
import { generate, MASS } from './generate.ts'
import { crossing, fitHelix } from './helix.ts'
import { fill, findPeak } from './histogram.ts'
import { plotMass } from './plot.ts'
import { reconstruct } from './reconstruct.ts'
import { simulate } from './simulate.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-physics-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const generated = [1, 2, 3].flatMap((run) =>
  generate({ experiment: 26, run, events: 1000, seed: run, firstEvent: 1 }),
)
const raw = simulate(generated, 1)

describe('the demo experiment', () => {
  test('finds the J/psi where it is with the conditions of each run, and elsewhere without them', () => {
    const peakWith = (payloads: ReturnType<typeof calibrated>) => {
      const mdst = reconstruct(raw, payloads)
      expect(mdst).toHaveLength(3000)
      return plotMass(candidates(skim(mdst)), []).peak!
    }
    const right = peakWith(calibrated(26, 1, 3))
    expect(Math.abs(right.mean - MASS.jpsi)).toBeLessThan(0.002)
    expect(right.width).toBeLessThan(0.02)
    expect(right.entries).toBeGreaterThan(500)
    // Runs with a stronger and with a weaker field: the peak is where it is not, and smeared.
    const wrong = peakWith(nominal(26, 1, 3))
    expect(wrong.width).toBeGreaterThan(1.5 * right.width)
    expect(() => reconstruct(raw, calibrated(26, 2, 3))).toThrow(/nothing for experiment 26, run 1/)
  })

  test('finds it in a few hundred pairs, whatever the seeds', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const few = [1, 2, 3].flatMap((run) =>
        generate({ experiment: 26, run, events: 400, seed: 10 * seed + run, firstEvent: 1 }),
      )
      const mdst = reconstruct(simulate(few, seed), calibrated(26, 1, 3))
      const { peak } = plotMass(candidates(skim(mdst)), [])
      expect(Math.abs(peak!.mean - MASS.jpsi), `seed ${seed}`).toBeLessThan(0.005)
      expect(peak!.width, `seed ${seed}`).toBeLessThan(0.02)
    }
  })

  test('makes the same of the same seed, and something else of another', () => {
    const order = { experiment: 26, run: 4, events: 20, firstEvent: 1 }
    const bytes = (seed: number) => writeEvents('generated', generate({ ...order, seed }))
    expect(bytes(7).equals(bytes(7))).toBe(true)
    expect(bytes(7).equals(bytes(8))).toBe(false)
  })

  test('keeps every level in ROOT files that say how many events they hold', async () => {
    const mdst = reconstruct(raw, calibrated(26, 1, 3)).slice(0, 50)
    const udst = skim(mdst)
    for (const [level, rows, content] of [
      ['generated', 3000, writeEvents('generated', generated)],
      ['raw', 3000, writeEvents('raw', raw)],
      ['mdst', udst.length, writeEvents('mdst', udst)],
      ['ntuple', udst.length, writeEvents('ntuple', candidates(udst))],
    ] as [Level, number, Buffer][]) {
      const path = join(directory, `${level}.root`)
      writeFileSync(path, content)
      expect(await readRootEvents(path)).toBe(rows)
      const back = await readEvents(path, level)
      expect(back).toHaveLength(rows)
      expect(Object.keys(back[0]!)).toEqual(Object.keys(LEVELS[level]))
      // What was read is what was written: written again it is the same file.
      expect(writeEvents(level, back as never).equals(content)).toBe(true)
    }
    await expect(readEvents(join(directory, 'raw.root'), 'mdst')).rejects.toThrow(/holds raw, not mdst/)
  })

  test('conserves energy and momentum where a J/psi becomes two muons', () => {
    const masses = generated
      .filter(({ pdg }) => Math.abs(pdg[0]!) === 13)
      .map(({ px, py, pz }) => {
        const energy = (j: number) => Math.hypot(MASS.muon, px[j]!, py[j]!, pz[j]!)
        return Math.sqrt(
          (energy(0) + energy(1)) ** 2 - Math.hypot(px[0]! + px[1]!, py[0]! + py[1]!, pz[0]! + pz[1]!) ** 2,
        )
      })
    const exact = masses.filter((mass) => Math.abs(mass - MASS.jpsi) < 1e-9)
    expect(exact.length).toBeGreaterThan(700)
    expect(exact.length).toBeLessThan(masses.length)
  })
})

describe('a track', () => {
  test('has the momentum and charge it was made with', () => {
    const { field } = asBuilt(26, 1)
    for (const charge of [1, -1] as const)
      for (const momentum of [
        { px: 0.8, py: -1.1, pz: 0.4 },
        { px: -0.35, py: -0.02, pz: -0.6 },
      ]) {
        const measured = [0.1, 0.3, 0.5, 0.7, 0.9].flatMap((radius) => {
          const at = crossing(momentum, charge, field, radius)
          return at ? [{ radius, ...at }] : []
        })
        const fitted = fitHelix(measured, field, 1e-4)!
        expect(fitted.charge).toBe(charge)
        for (const axis of ['px', 'py', 'pz'] as const) expect(fitted[axis]).toBeCloseTo(momentum[axis], 6)
      }
    expect(fitHelix([], DESIGN.field, 1e-4)).toBeUndefined()
  })
})

describe('the plot', () => {
  test('counts every pair, also those it does not show, and is sound without a peak', () => {
    const pair = (mass: number) => ({ experiment: 26, run: 1, event: 1, mass, p: 1, cosTheta: 0, chi2: 1 })
    const { svg, entries, peak } = plotMass([2.1, 2.9, 3.3].map(pair), ['a <b>', 'release & more'])
    expect([entries, peak]).toEqual([3, undefined])
    expect(svg).toContain('3 pairs, 1 outside')
    expect(svg).toContain('a &lt;b&gt;')
    expect(svg).toContain('release &amp; more')
    expect(plotMass([], []).svg).toContain('0 pairs')
  })

  test('finds a peak on a slope', () => {
    const values = Array.from({ length: 60 }, (_, i) => 2.8 + (i + 0.5) * 0.01).flatMap((x, i) => {
      const height = 40 - i / 3 + 300 * Math.exp(-0.5 * ((x - 3.1) / 0.02) ** 2)
      return new Array<number>(Math.round(height)).fill(x)
    })
    const peak = findPeak(fill(values, { from: 2.8, to: 3.4, bins: 60 }), { from: 2.98, to: 3.22 })!
    expect(peak.mean).toBeCloseTo(3.1, 2)
    expect(peak.width).toBeCloseTo(0.02, 2)
    expect(peak.entries / (300 * 0.02 * Math.sqrt(2 * Math.PI) * 100)).toBeCloseTo(1, 1)
  })
})

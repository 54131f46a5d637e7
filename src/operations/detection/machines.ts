import { isAbout, isPartOfSite } from './causes.ts'
import { percent, type Sign, sign, site } from './finding.ts'
import { clamp, gainOver } from './statistics.ts'
import type { Cause, JobFact } from './types.ts'

/** Of the machines of a site so many are held to be ill before anything is known, and so much fails on those. */
const PRIOR = 0.1
const ILL = 0.85
/** What is usual on the others, at least and at most. */
const USUAL = { least: 0.05, most: 0.4 }
const MORE_THAN_OTHERS = 1.25
/** Evidence against one of them, as a logarithm, and against all that are suspected together. */
const SUSPECTED = 2
const NEEDED = 10
const FEWEST_MACHINES = 3
const FEWEST_FAILURES = 4
/** A fault of the software is everywhere, a fault of machines is on few of them. */
const MOST_MACHINES = 0.6

interface Machine {
  readonly name: string
  n: number
  failed: number
  readonly starts: Set<number>
  /** Failures of each owner: one owner's are one fault. */
  readonly byOwner: Map<string, number>
}

/**
 * R10: some machines of a site on which nearly all fails while the others do well. Few jobs on each tell nothing; that they
 * fail on the same machines again and again does: each is ill or well, and the evidence of all is summed. `jobs` are those
 * of the last hour; what causes elsewhere explain is left out.
 */
export function illMachines(jobs: readonly JobFact[], causes: readonly Cause[]): Sign[] {
  // What fails everywhere fails on all machines.
  if (causes.some(({ entity }) => entity.kind === 'central')) return []
  const failures = new Map<string, number>()
  for (const { attributes, failed } of jobs) {
    if (failed > 0) failures.set(attributes.site ?? '', (failures.get(attributes.site ?? '') ?? 0) + failed)
  }
  const bySite = new Map<string, Map<string, Machine>>()
  for (const { attributes, start, n, failed } of jobs) {
    const { site: at, node } = attributes
    if (at === undefined || node === undefined || (failures.get(at) ?? 0) < FEWEST_FAILURES) continue
    if (causes.some((cause) => isAbout(cause, attributes) && !isPartOfSite(cause, at))) continue
    const machines = bySite.get(at) ?? new Map<string, Machine>()
    bySite.set(at, machines)
    const machine = machines.get(node) ?? {
      ...{ name: node, n: 0, failed: 0, starts: new Set<number>(), byOwner: new Map<string, number>() },
    }
    machines.set(node, machine)
    machine.n += n
    machine.failed += failed
    if (failed === 0) continue
    if (start) machine.starts.add(start.getTime())
    const owner = attributes.production ?? attributes.user ?? ''
    machine.byOwner.set(owner, (machine.byOwner.get(owner) ?? 0) + failed)
  }
  return [...bySite].flatMap(([at, machines]) => illOnes(at, [...machines.values()]))
}

function illOnes(at: string, machines: readonly Machine[]): Sign[] {
  if (machines.length < FEWEST_MACHINES) return []
  const suspects = (usual: number) => machines.filter((one) => gain(one, usual) > SUSPECTED)
  const rough = new Set(suspects(USUAL.least))
  if (rough.size < 2 || rough.size > MOST_MACHINES * machines.length) return []
  const others = machines.filter((one) => !rough.has(one))
  const n = others.reduce((sum, one) => sum + one.n, 0)
  const failed = others.reduce((sum, one) => sum + one.failed, 0)
  const usual = clamp(n > 0 ? (MORE_THAN_OTHERS * failed) / n : 0, USUAL.least, USUAL.most)
  const ill = suspects(usual)
  // Each is ill or well, against: all of them fail alike, as often as they do.
  const each = machines.reduce(
    (sum, one) => sum + Math.log(1 - PRIOR + PRIOR * Math.exp(Math.min(gain(one, usual), 20))),
    0,
  )
  const bad = machines.reduce((sum, one) => sum + countedOf(one), 0)
  const all = machines.reduce((sum, one) => sum + one.n - one.failed, bad)
  const evidence = each - (bad > usual * all ? gainOver(bad, all, usual) : 0)
  const moments = new Set(ill.flatMap(({ starts }) => [...starts]))
  const owners = new Set(ill.flatMap(({ byOwner }) => [...byOwner.keys()]))
  if (evidence < NEEDED || ill.length < 2 || moments.size < 2 || owners.size < 2) return []
  return ill.map((one) => {
    const counts = { n: one.n, failed: one.failed, failedPercent: percent(one.failed, one.n) }
    const facts = { ...counts, machines: ill.length, gain: Math.round(evidence * 10) / 10 }
    const entity = { kind: 'node', name: one.name } as const
    return sign('R10', 'machine fails', entity, 'error', facts, { within: [site(at)] })
  })
}

/** Of one owner two failures count. */
const countedOf = ({ byOwner }: Machine): number =>
  [...byOwner.values()].reduce((sum, one) => sum + Math.min(one, 2), 0)

/** How much likelier its jobs are on an ill machine. */
const gain = (machine: Machine, usual: number): number =>
  countedOf(machine) * Math.log(ILL / usual) +
  (machine.n - machine.failed) * Math.log((1 - ILL) / (1 - usual))

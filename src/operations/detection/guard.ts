import { explainedBy, isPartOfSite } from './causes.ts'
import { HOUR_MS, MINUTE_MS, rank } from './finding.ts'
import { EVERYWHERE_ENTITY } from './localise.ts'
import {
  type Cause,
  type ExclusionDecision,
  type ExclusionQuestion,
  entityKey,
  type Finding,
} from './types.ts'

/** Of all slots, this part may be taken out within an hour without a person. */
const MOST_SHARE = 0.2
/** Half of the jobs must fail before slots are taken from a site; less is for a person to judge. */
const WORTH_PERCENT = 50
const WORTH_JOBS = 5
/** Where no job ended for so long, nobody knows; it may try again. */
const WORTH_MINUTES = 10
/** So long the alarm must hold: what else may be the cause shows itself a little later than the site does. */
const WORTH_WAITING_MS = 10 * MINUTE_MS
const SITES_AT_ONCE = 5
const AT_ONCE_MS = 30 * MINUTE_MS

interface Wish {
  readonly site: string
  readonly finding: Finding
  readonly action: 'exclude' | 'throttle'
}

/**
 * R20: which sites the machine may shut out. Never for a cause that is elsewhere, never many at once, never more than a
 * fifth of all slots within an hour, never what a person holds. A black hole is its own site's doing by its nature.
 * Every site that a rule would shut out gets an answer; ask again at each look: what is no longer wanted is let in again.
 */
export function guardExclusions(now: Date, question: ExclusionQuestion): ExclusionDecision[] {
  const { causes, slots, exclusions, held } = question
  const wishes = wishesOf(now, question.findings)
  const all = Object.values(slots).reduce((sum, n) => sum + n, 0)
  const out = new Set(
    exclusions
      .filter(({ at, until }) => at <= now && (until === null || until > now))
      .map(({ site }) => site),
  )
  const lately = new Set(
    exclusions.filter(({ at }) => at.getTime() > now.getTime() - HOUR_MS).map(({ site }) => site),
  )
  let taken = [...lately].reduce((sum, site) => sum + (slots[site] ?? 0), 0)
  return wishes.map(({ site, finding, action }): ExclusionDecision => {
    const no = (because: ExclusionDecision['because'], cause?: Cause): ExclusionDecision => ({
      ...{ site, rule: finding.rule, action: 'none', because },
      ...(cause ? { cause: cause.entity } : {}),
    })
    if (held.includes(site)) return no('held by a person')
    if (finding.rule !== 'R10') {
      const elsewhere = causeElsewhere(site, finding, causes)
      if (elsewhere) return no('cause is elsewhere', elsewhere)
      if (out.has(site)) return { site, rule: finding.rule, action, because: 'already out' }
      if (crowd(finding, wishes) >= SITES_AT_ONCE) return no('too much at once')
    } else if (out.has(site)) return { site, rule: finding.rule, action, because: 'already out' }
    const mine = lately.has(site) ? 0 : (slots[site] ?? 0)
    if (taken + mine > MOST_SHARE * all) return no('too much at once')
    taken += mine
    return { site, rule: finding.rule, action, because: 'site is ill' }
  })
}

/** One wish a site: the gravest finding, the oldest first, so that those who waited longest have the share. */
function wishesOf(now: Date, findings: readonly Finding[]): Wish[] {
  const wishes = new Map<string, Wish>()
  const sorted = [...findings].sort(
    (a, b) => rank(b.severity) - rank(a.severity) || a.since.getTime() - b.since.getTime(),
  )
  for (const finding of sorted) {
    const { entity, rule, code, facts, since } = finding
    if (entity.kind !== 'site' || wishes.has(entity.name)) continue
    const ill =
      rule === 'R08' &&
      now.getTime() - since.getTime() >= WORTH_WAITING_MS &&
      Number(facts.n) >= WORTH_JOBS &&
      Number(facts.lastMinutes) <= WORTH_MINUTES &&
      Math.min(Number(facts.lastPercent), Number(facts.failedPercent)) >= WORTH_PERCENT
    const gone = rule === 'R14' && code === 'gateway is silent'
    if (rule === 'R10' || gone) wishes.set(entity.name, { site: entity.name, finding, action: 'exclude' })
    else if (ill) wishes.set(entity.name, { site: entity.name, finding, action: 'throttle' })
  }
  return [...wishes.values()]
}

/** A cause that explains the site's failures and is not the site or a part of it. */
function causeElsewhere(site: string, finding: Finding, causes: readonly Cause[]): Cause | undefined {
  const key = entityKey({ kind: 'site', name: site })
  const everywhere = causes.find((cause) => entityKey(cause.entity) === entityKey(EVERYWHERE_ENTITY))
  if (everywhere || finding.rule !== 'R08') return everywhere
  if (causes.some((cause) => entityKey(cause.entity) === key)) return undefined
  return causes.find((cause) => explainedBy(cause, finding) && !isPartOfSite(cause, site))
}

const crowd = (finding: Finding, wishes: readonly Wish[]): number =>
  wishes.filter(
    ({ finding: other }) => Math.abs(other.since.getTime() - finding.since.getTime()) <= AT_ONCE_MS,
  ).length

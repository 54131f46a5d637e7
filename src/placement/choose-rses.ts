import { insufficientTargets, invalidRule } from './errors.ts'

/** A storage as the choice sees it. */
export interface Candidate {
  readonly rseId: number
  readonly name: string
  /** The failure domain: copies at one site burn together. */
  readonly site: string
  /** Bytes of the data in question that are there already. */
  readonly presentBytes: bigint
  readonly freeBytes: bigint | null
  /** Value of the rule's weight attribute; undefined when the RSE lacks it. */
  readonly weight?: number
}

export interface Choice {
  readonly copies: number
  /** Already decided for this rule (other datasets of grouping ALL, or before a content change). */
  readonly preferred?: readonly number[]
  /** Name of the weight attribute, for the message. */
  readonly weight?: string | null
}

/**
 * The storages for the copies of one group of data: what was chosen before stays; then sites that hold no copy yet;
 * then most bytes present, weight, free space, and the name, so that the same question has the same answer.
 * Throws insufficient_target_rses, invalid_rule.
 */
export function chooseRses(candidates: readonly Candidate[], choice: Choice): number[] {
  const { copies, preferred = [], weight } = choice
  const usable = weight ? candidates.filter((c) => c.weight !== undefined && c.weight > 0) : candidates
  if (weight && usable.length === 0 && candidates.length > 0) {
    throw invalidRule(`None of the storages has a positive attribute "${weight}" to weigh by.`)
  }
  if (usable.length < copies) {
    const names = usable.map((c) => c.name).join(', ') || 'none'
    throw insufficientTargets(
      `${copies} copies need ${copies} storages, but the expression leaves only ${usable.length} that can be written to (${names}).`,
    )
  }
  const chosen: Candidate[] = []
  const take = (candidate: Candidate): void => {
    if (chosen.length < copies && !chosen.includes(candidate)) chosen.push(candidate)
  }
  const ranked = [...usable].sort(byRank)
  for (const candidate of ranked) if (preferred.includes(candidate.rseId)) take(candidate)
  for (const candidate of ranked) if (!chosen.some((c) => c.site === candidate.site)) take(candidate)
  for (const candidate of ranked) take(candidate)
  return chosen.map((c) => c.rseId)
}

function byRank(a: Candidate, b: Candidate): number {
  if (a.presentBytes !== b.presentBytes) return a.presentBytes > b.presentBytes ? -1 : 1
  const weights = (b.weight ?? 0) - (a.weight ?? 0)
  if (weights !== 0) return weights
  const free = spaceClass(b.freeBytes) - spaceClass(a.freeBytes)
  return free !== 0 ? free : a.name < b.name ? -1 : 1
}

/** Storages with about as much free space are alike, so that the name decides and not the last measurement. */
const spaceClass = (free: bigint | null): number => Math.floor(2 * Math.log2(Number(free ?? 0n) + 1))

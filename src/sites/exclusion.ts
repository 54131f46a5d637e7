/** What shall get less new work for a while, or none (or all the same, because a person says so). */
export interface Exclusion {
  readonly id: bigint
  readonly vo: string
  readonly site: string
  /** One place of the site; null: all of them. */
  readonly resource: string | null
  /** keep: a person holds it in, whatever the machine thinks. */
  readonly action: 'exclude' | 'throttle' | 'keep'
  readonly reason: string
  /** null: the machine. */
  readonly madeBy: string | null
  readonly madeAt: Date
  readonly until: Date
  readonly endedBy: string | null
  readonly endedAt: Date | null
}

/** The part of the pilots that a place keeps which is throttled: enough to see that it recovers. */
export const THROTTLED = 0.1

/** What holds for a place now: a person's word before the machine's, the newest first. Pure. */
export function exclusionOf(
  exclusions: readonly Exclusion[],
  { site, resource }: { readonly site: string; readonly resource?: string },
  now: Date,
): Exclusion | undefined {
  const present = exclusions.filter(
    (one) =>
      one.site === site &&
      (one.resource === null || one.resource === resource) &&
      one.endedAt === null &&
      one.until > now,
  )
  const newest = (list: readonly Exclusion[]) =>
    [...list].sort((a, b) => b.madeAt.getTime() - a.madeAt.getTime() || Number(b.id - a.id))[0]
  return newest(present.filter(({ madeBy }) => madeBy !== null)) ?? newest(present)
}

/** A group somebody belongs to now; its path begins with the VO. */
export interface HeldGroup {
  readonly path: string
  /** Counts only when asked for by name, as VOMS roles do. */
  readonly optional: boolean
}

/**
 * `wlcg.groups` of a token by the selection rule of the profile: what is asked for by name comes in the order of the
 * request; the bare scope stands for all groups that are not optional, by name, and comes last where it is only
 * implied. No group twice. Without a group scope there is no claim. `refused` are groups asked for by somebody who is no member.
 */
export function selectGroups(
  scopes: readonly string[],
  memberships: readonly HeldGroup[],
): { groups: string[]; refused: string[] } {
  const asked = scopes.filter((scope) => scope === 'wlcg.groups' || scope.startsWith('wlcg.groups:'))
  if (asked.length === 0) return { groups: [], refused: [] }
  const order = asked.includes('wlcg.groups') ? asked : [...asked, 'wlcg.groups']
  const own = new Set(memberships.map(({ path }) => path))
  const usual = memberships.filter(({ optional }) => !optional).map(({ path }) => path)
  usual.sort((a, b) => (a < b ? -1 : 1))
  const groups = new Set<string>()
  const refused: string[] = []
  for (const scope of order) {
    if (scope === 'wlcg.groups') for (const path of usual) groups.add(path)
    else {
      const path = scope.slice('wlcg.groups:'.length)
      if (own.has(path)) groups.add(path)
      else refused.push(path)
    }
  }
  return { groups: [...groups], refused }
}

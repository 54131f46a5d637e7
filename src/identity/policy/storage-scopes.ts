import type { Scope, StorageScopeOp } from '../tokens/scope.ts'
import type { Action } from './actions.ts'

export interface Places {
  /** Directories that hold nothing but what is the account's own. */
  readonly own: readonly string[]
  /** Paths that rules of the policy speak of. */
  readonly named: readonly string[]
}

/** What each scope of the WLCG profile permits, in the words of the policy. */
const MEANING: readonly (readonly [StorageScopeOp, readonly Action[]])[] = [
  ['read', ['storage.read', 'storage.list']],
  ['stage', ['storage.stage']],
  ['create', ['storage.create', 'storage.mkdir']],
  ['modify', ['storage.create', 'storage.mkdir', 'storage.overwrite', 'storage.rename', 'storage.delete']],
]

/**
 * What the policy lets somebody do at storages, as scopes of a token: gateways know tokens and no policy. A scope cannot
 * leave out a part of its directory, so there is none for a directory below which something is refused. Pure.
 */
export function storageScopes(
  { own, named }: Places,
  may: (action: Action, path: string, own: boolean) => boolean,
): Scope[] {
  const all = [...new Set(['/', ...named, ...own])]
  const isOwn = (path: string) => own.some((area) => isBelow(path, area))
  const granted = (path: string, actions: readonly Action[]) =>
    all
      .filter((place) => isBelow(place, path))
      .every((place) => actions.every((action) => may(action, place, isOwn(place))))
  return all.flatMap((path) =>
    MEANING.filter(([, actions]) => granted(path, actions)).map(
      ([op]): Scope => ({ family: 'storage', op, segments: segmentsIn(path), dirOnly: false }),
    ),
  )
}

const segmentsIn = (path: string): string[] => path.split('/').filter(Boolean)

function isBelow(path: string, directory: string): boolean {
  const here = segmentsIn(path)
  return segmentsIn(directory).every((segment, i) => segment === here[i])
}

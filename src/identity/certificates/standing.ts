import { GridError } from '../../kernel/errors.ts'
import type { Standings } from '../people/standing.ts'

/** Throws what the person reads, under the code of the standing. */
export async function refuseUnlessGood(standings: Standings, accountId: number): Promise<void> {
  const standing = (await standings.standingOf([accountId])).get(accountId)
  if (standing && standing.state !== 'good')
    throw new GridError({ code: standing.code, kind: 'denied', message: standing.message })
}

import { type Db, transaction } from '../../kernel/database.ts'
import {
  type Downtime,
  downtimesAhead,
  type Exclusion,
  endExclusions,
  exclusionsNow,
  insertExclusion,
  listSites,
  type Site,
} from '../../sites/index.ts'
import { resourcesOf } from '../../workload/index.ts'
import type { Finding } from '../detection/index.ts'
import { badState, entityMissing } from '../errors.ts'
import { latestTests, type TestRow } from '../probes/probe.store.ts'
import { readSites } from '../sites.store.ts'
import { type BinRow, binsOf } from '../statistics/rollup.store.ts'
import { type CardRow, openCards } from './card.store.ts'
import { tellExclusion } from './exclusions.ts'

const HOUR_MS = 3_600_000
const LONGEST_MS = 30 * 24 * HOUR_MS
const BINS_MS = 6 * HOUR_MS

export type EntityKind = 'site' | 'resource' | 'storage'

/** Everything from which the present state of a site, a place or a storage follows. */
export interface EntityExplained {
  readonly kind: EntityKind
  readonly name: string
  readonly site: string | null
  /** Of the site. */
  readonly state: Pick<Site, 'state' | 'reason' | 'explanation'> | null
  readonly gateways: readonly { readonly name: string; readonly lastSeenAt: Date | null }[]
  readonly downtimes: readonly Downtime[]
  readonly exclusions: readonly Exclusion[]
  readonly bins: readonly BinRow[]
  readonly tests: readonly TestRow[]
  readonly cards: readonly Pick<CardRow, 'id' | 'title' | 'state' | 'severity'>[]
  readonly findings: readonly Finding[]
}

/** Throws operations.entity_missing. */
export async function explainEntity(
  db: Db,
  now: Date,
  { vo, kind, name }: { vo: string; kind: EntityKind; name: string },
): Promise<EntityExplained> {
  const site = await siteOf(db, vo, kind, name)
  const [sites, downtimes, exclusions, tests, cards, bins] = await Promise.all([
    listSites(db, now, vo),
    downtimesAhead(db, now, vo),
    exclusionsNow(db, now, vo),
    latestTests(db, vo),
    openCards(db, vo),
    binsOf(db, { vo, kind, name, from: new Date(now.getTime() - BINS_MS) }),
  ])
  const known = sites.find((one) => one.name === site)
  const concerns = (one: Finding) =>
    (one.entity.kind === kind && one.entity.name === name) ||
    one.within.some((whole) => whole.kind === kind && whole.name === name)
  const mine = cards.filter(
    ({ findings, entities }) =>
      findings.some(concerns) || entities.some((one) => one.kind === kind && one.name === name),
  )
  return {
    ...{ kind, name, site },
    state: known ? { state: known.state, reason: known.reason, explanation: known.explanation } : null,
    gateways: known?.gateways.map(({ name: gateway, lastSeenAt }) => ({ name: gateway, lastSeenAt })) ?? [],
    downtimes: downtimes.filter((one) =>
      kind === 'site'
        ? one.site === site
        : one.site === site &&
          ((one.storage ?? one.resource) === null || (one.storage ?? one.resource) === name),
    ),
    exclusions: exclusions.filter(
      (one) => one.site === site && (kind === 'site' || one.resource === null || one.resource === name),
    ),
    bins,
    tests: tests.filter((one) => one.site === site && (kind !== 'storage' || one.name === name)),
    cards: mine.map(({ id, title, state, severity }) => ({ id, title, state, severity })),
    findings: mine.flatMap(({ findings }) => findings.filter(concerns)),
  }
}

async function siteOf(db: Db, vo: string, kind: EntityKind, name: string): Promise<string> {
  const sites = await readSites(db, vo)
  const found =
    kind === 'site'
      ? sites.find((one) => one.name === name)?.name
      : kind === 'storage'
        ? sites.find(({ storages }) => storages.includes(name))?.name
        : (await resourcesOf(db, vo)).find((one) => one.name === name)?.site
  if (found === undefined) throw entityMissing(`There is no ${kind} ${name} that belongs to a site.`)
  return found
}

/** What holds now, by person or machine. */
export const exclusionLines = (db: Db, now: Date, vo: string): Promise<Exclusion[]> =>
  exclusionsNow(db, now, vo)

/**
 * A person decides about a site or a place until a time: no new pilots (`exclude`), few (`throttle`), as many as usual
 * whatever the machine thinks (`keep`); `free` gives it back to the machine. Throws operations.entity_missing, _bad_state.
 */
export async function holdEntity(
  db: Db,
  now: Date,
  input: {
    vo: string
    kind: 'site' | 'resource'
    name: string
    state: Exclusion['action'] | 'free'
    reason: string
    until?: Date | undefined
    by: string
  },
): Promise<Exclusion[]> {
  const { vo, kind, name, state, reason, until, by } = input
  const site = await siteOf(db, vo, kind, name)
  const resource = kind === 'resource' ? name : null
  return transaction(db, async (tx) => {
    const before = (await exclusionsNow(tx, now, vo)).filter(
      (one) => one.site === site && one.resource === resource,
    )
    const ids = before.map(({ id }) => id)
    const ended = ids.length > 0 ? await endExclusions(tx, now, ids, by) : []
    if (state === 'free') {
      for (const one of ended) await tellExclusion(tx, now, one, 'let in', by)
      return []
    }
    if (reason.trim() === '') throw badState('Say why: those who wait for the site want to know it.')
    if (!until || until <= now || until.getTime() - now.getTime() > LONGEST_MS)
      throw badState('Say until when, at most 30 days ahead: nothing is shut out for ever.')
    const made = await insertExclusion(tx, now, {
      vo,
      site,
      resource,
      action: state,
      reason,
      madeBy: by,
      until,
    })
    await tellExclusion(tx, now, made, state === 'keep' ? 'held in' : 'excluded', by)
    return [made]
  })
}

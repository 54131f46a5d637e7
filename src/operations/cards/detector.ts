import { type Db, type Tx, transaction } from '../../kernel/database.ts'
import { publish } from '../../kernel/events.ts'
import type { Worker } from '../../kernel/workers.ts'
import { listSites } from '../../sites/index.ts'
import { BIN_MS, detect, emptyMemory, groupIntoCards } from '../detection/index.ts'
import { type PictureDeps, pictureOf } from '../picture/picture.ts'
import { addEntries } from '../shifts/log.store.ts'
import { markOf } from '../statistics/rollup.store.ts'
import { applyChanges } from './apply.ts'
import * as store from './card.store.ts'
import { applyGuard } from './exclusions.ts'
import { type OnCallDeps, tellOnCall } from './on-call.ts'
import { insertSiteChanges, lastSiteStates } from './site-changes.store.ts'

export interface DetectorDeps extends PictureDeps, OnCallDeps {
  readonly db: Db
  readonly vos: () => Promise<readonly string[]>
}

const EVERY_MS = 120_000

/**
 * Looks at the grid every two minutes: states of sites, findings, their causes, cards, and what the machine may shut out.
 * All of one look is one transaction; of several servers one looks.
 */
export function detectorWorker(deps: DetectorDeps): Worker {
  let nextAt = 0
  return {
    name: 'detector',
    wakeOn: [],
    async tick(now) {
      if (now.getTime() < nextAt) return { changed: 0, nextWake: new Date(nextAt) }
      for (const vo of await deps.vos()) await transaction(deps.db, (tx) => look(tx, deps, vo, now))
      nextAt = now.getTime() + EVERY_MS
      return { changed: 0, nextWake: new Date(nextAt) }
    },
  }
}

async function look(tx: Tx, deps: DetectorDeps, vo: string, now: Date): Promise<void> {
  const turn = await store.lockDetector(tx, vo, emptyMemory)
  if (!turn || (turn.lookedAt && now.getTime() - turn.lookedAt.getTime() < EVERY_MS / 2)) return
  await noteSites(tx, vo, now)
  // What is read once counts once: bins that are closed but not counted yet must not be taken for empty.
  const counted = await markOf(tx, 'bins counted')
  if (!counted || counted.getTime() < Math.floor(now.getTime() / BIN_MS) * BIN_MS) return
  // What an older version remembered is looked at anew.
  const known = turn.memory.version === emptyMemory.version ? turn.memory : emptyMemory
  const picture = await pictureOf(tx, deps, { vo, now, upTo: known.upTo })
  const { memory, findings, causes } = detect(known, now, picture)
  const open = await store.openCards(tx, vo)
  const changes = groupIntoCards(now, open, findings, causes)
  await applyChanges(tx, now, vo, open, changes)
  await tellOnCall(tx, deps, { vo, now, open, changes })
  await applyGuard(tx, now, vo, { findings, causes })
  await store.putMemory(tx, now, vo, memory)
}

/** Notes how the states of sites changed since the last look. */
async function noteSites(tx: Tx, vo: string, now: Date): Promise<void> {
  const before = new Map((await lastSiteStates(tx, vo)).map((one) => [one.site, one]))
  const sites = await listSites(tx, now, vo)
  const changed = sites.filter(({ name, state, reason }) => {
    const known = before.get(name)
    return known?.state !== state || known.reason !== reason
  })
  if (changed.length === 0) return
  await insertSiteChanges(
    tx,
    vo,
    changed.map(({ name, state, reason, explanation }) => ({
      site: name,
      at: now,
      state,
      reason,
      explanation,
    })),
  )
  // What a site is when it is first seen is no news.
  const news = changed.filter(({ name }) => before.has(name))
  const text = (site: (typeof news)[number]) =>
    `${site.name} is ${site.state}${site.explanation ? `: ${site.explanation}` : ''}`
  await addEntries(
    tx,
    news.map((site) => ({
      vo,
      at: now,
      author: null,
      kind: 'site.state',
      text: text(site),
      site: site.name,
    })),
  )
  await publish(
    tx,
    now,
    news.map((site) => ({
      vo,
      kind: 'site.state',
      subject: site.name,
      payload: { state: site.state, text: text(site) },
    })),
  )
}

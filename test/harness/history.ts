import { type Db, sql } from '../../src/kernel/index.ts'
import { addSites } from './site-rows.ts'

export interface PastStarts {
  readonly site: string
  /** When the first ended; the others follow a second apart. */
  readonly at: Date
  readonly n: number
  readonly outcome: 'done' | 'failed' | 'site_fault' | 'lost' | 'killed'
  readonly owner?: string
  readonly reason?: string
  readonly release?: string
  readonly seconds?: number
}

/** Rows as jobs leave them that ran and ended in the past, one start each. */
export async function pastStarts(db: Db, starts: readonly PastStarts[]): Promise<void> {
  for (const { site, at, n, outcome, owner = 'mika', reason = '', release, seconds = 60 } of starts) {
    const spec = release ? { software: { release } } : {}
    await sql`
      with queue as (insert into job_queue (vo, key, owner_id, owner, group_name, job_type, demand, created_at)
          values ('demo', ${Buffer.from(owner)}, 7, ${owner}, '/demo', 'User', '{}', ${at})
          on conflict (vo, key) do update set owner = excluded.owner returning id),
        body as (insert into job_body (vo, job_group, spec, created_at)
          values ('demo', '', ${JSON.stringify(spec)}::jsonb, ${at}) returning id),
        made as (insert into job (vo, queue_id, body_id, owner_id, name, state, minor, priority, attempt, site, submitted_at,
            updated_at)
          select 'demo', queue.id, body.id, 7, 'past', 12, '', 1, 1, ${site}, ${at}, ${at}
          from queue, body, generate_series(1, ${n}) returning id)
      insert into job_attempt (job_id, n, pilot_id, site, resource, leased_at, started_at, ended_at, outcome, reason, charged)
      select id, 1, 1, ${site}, ${`${site}-farm`}, ${at}, e - ${seconds} * interval '1 second', e, ${outcome}, ${reason}, 1
      from (select id, ${at}::timestamptz + (row_number() over (order by id) - 1) * interval '1 second' as e from made) x`.execute(
      db,
    )
  }
}

/** Sites with a gateway that has just reported, a storage and a place that runs jobs. */
export const sitesWithEverything = (db: Db, now: Date, names: readonly string[]): Promise<void> =>
  addSites(db, now, names, {
    ...{
      title: sql`upper(name)`,
      country: sql`'JP'`,
      latitude: sql`35`,
      longitude: sql`135 + i`,
      domain: 'example',
    },
    ...{ report: sql`'{}'::jsonb`, kind: sql`'local'`, tags: [], seconds: 86_400, cores: 10, diskMb: 10_000 },
    ...{ maxPilots: 10, maxWaiting: 2 },
  })

import { type Db, sql } from '../../src/kernel/index.ts'

/** SQL over the name of a site and its number `i`, counted from 1. */
type Each = ReturnType<typeof sql>

export interface SitesLike {
  readonly title: Each
  readonly country: Each
  readonly latitude: Each
  readonly longitude: Each
  /** Where gateways seem to be: `https://kek.example`. */
  readonly domain: string
  /** What gateways said last. */
  readonly report: Each
  readonly kind: Each
  readonly tags: readonly string[]
  readonly seconds: number
  readonly cores: number
  readonly diskMb: number
  readonly maxPilots: number
  readonly maxWaiting: number
}

/** Rows of sites, each with a gateway that has just reported, a storage, and a place that runs jobs. */
export async function addSites(db: Db, now: Date, names: readonly string[], like: SitesLike): Promise<void> {
  const { title, country, latitude, longitude, domain, report, kind } = like
  const list = sql`unnest(${names}::text[]) with ordinality as n(name, i)`
  await sql`insert into site (vo, name, title, country, latitude, longitude, created_at)
    select 'demo', name, ${title}, ${country}, ${latitude}, ${longitude}, ${now} from ${list}`.execute(db)
  await sql`insert into gateway (site_id, name, client_id, endpoint, version, registered_at, last_seen_at, report)
    select s.id, s.name, 'gateway:' || s.name, 'https://' || s.name || '.' || ${domain}, '0.1.0', ${now}, ${now}, ${report}
    from site s join ${list} using (name)`.execute(db)
  await sql`with made as (insert into rse (uuid, vo, name, created_at, updated_at)
      select gen_random_uuid(), 'demo', upper(name) || '-DISK', ${now}, ${now} from ${list} returning id, name)
    insert into rse_attribute (rse_id, key, value)
    select id, 'site', to_jsonb(lower(split_part(name, '-', 1))) from made`.execute(db)
  await sql`insert into compute_resource (vo, site, name, gateway, kind, cores, memory_mb, disk_mb, seconds, platform,
      tags, max_pilots, max_waiting)
    select 'demo', name, name || '-farm', name, ${kind}, ${like.cores}::int, 4096, ${like.diskMb}::int, ${like.seconds}::int,
      'x86_64', ${like.tags}::text[], ${like.maxPilots}::int, ${like.maxWaiting}::int from ${list}`.execute(
    db,
  )
}

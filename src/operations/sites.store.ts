import { type Db, rows, sql } from '../kernel/database.ts'

export interface SiteRow {
  readonly name: string
  readonly title: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  readonly gateway: string | null
  readonly endpoint: string | null
  readonly version: string | null
  readonly last_seen_at: Date | null
  readonly report: { areas?: { totalBytes?: number; usedBytes?: number; files?: number }[] } | null
  readonly storages: string[]
}

/** A storage belongs to a site when its attribute `site` says so or when the site's gateway is its endpoint. */
export const storageSite = sql`
  select r.id as rse_id, r.vo, r.name as rse, coalesce(by_attribute.name, by_endpoint.name) as site
  from rse r
  left join lateral (
    select s.name from rse_attribute a join site s on s.vo = r.vo and s.name = a.value #>> '{}'
    where a.rse_id = r.id and a.key = 'site' limit 1) by_attribute on true
  left join lateral (
    select s.name from rse_protocol p
    join gateway g on rtrim(g.endpoint, '/') = p.scheme || '://' || p.hostname || ':' || p.port
    join site s on s.id = g.site_id and s.vo = r.vo
    where p.rse_id = r.id limit 1) by_endpoint on true
  where r.deleted_at is null`

export async function readSites(db: Db, vo: string): Promise<SiteRow[]> {
  return rows(
    db,
    sql<SiteRow>`
      with home as (${storageSite})
      select s.name, s.title, s.country, s.latitude, s.longitude, g.name as gateway,
        case when g.site_id = s.id then g.endpoint end as endpoint, g.version, g.last_seen_at,
        case when g.site_id = s.id then g.report end as report,
        coalesce((select array_agg(h.rse order by h.rse) from home h where h.vo = s.vo and h.site = s.name), '{}') as storages
      from site s
      left join lateral (
        select * from gateway g where g.site_id = s.id or g.name = s.through
        order by g.site_id = s.id desc, g.last_seen_at desc nulls last limit 1) g on true
      where s.vo = ${vo} order by s.name`,
  )
}

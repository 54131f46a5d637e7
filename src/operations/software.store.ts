import { type Db, rows, sql } from '../kernel/database.ts'

export interface GatewayCacheRow {
  readonly site: string
  readonly gateway: string
  readonly lastSeenAt: Date | null
  /** What the gateway said of its software last; null when it keeps none. */
  readonly software: {
    readonly hits: number
    readonly misses: number
    readonly evictions: number
    readonly bytes: number
    readonly mostBytes: number
    readonly revisions: Readonly<Record<string, number>>
  } | null
}

export const gatewayCaches = (db: Db, vo: string): Promise<GatewayCacheRow[]> =>
  rows(
    db,
    sql<GatewayCacheRow>`select s.name as site, g.name as gateway, g.last_seen_at as "lastSeenAt", g.report->'software' as software
    from gateway g join site s on s.id = g.site_id where s.vo = ${vo} order by s.name, g.name`,
  )

export interface RepositoryCareRow {
  readonly name: string
  readonly revision: bigint
  readonly publishedAt: Date | null
  readonly whitelistExpiresAt: Date | null
  /** Of the key that signs; null for a mirror. */
  readonly certificatePem: string | null
  readonly mirror: boolean
  readonly verifiedAt: Date | null
  readonly failure: string | null
}

export const repositoryCare = (db: Db, vo: string): Promise<RepositoryCareRow[]> =>
  rows(
    db,
    sql<RepositoryCareRow>`select r.name, r.revision, r.published_at as "publishedAt",
      r.whitelist_expires_at as "whitelistExpiresAt", k.certificate_pem as "certificatePem",
      m.repository_id is not null as mirror, m.checked_at as "verifiedAt", coalesce(m.failure, m.copy_failure) as failure
    from software_repository r
    left join software_mirror m on m.repository_id = r.id
    left join lateral (select certificate_pem from software_key k where k.repository_id = r.id order by k.id desc limit 1) k on true
    where r.vo = ${vo} order by r.name`,
  )

export interface ReleaseUseRow {
  /** As it was asked for. */
  readonly release: string
  readonly revision: number
  readonly root: string
  readonly jobType: string
  readonly owner: string
  /** Not over yet. */
  readonly open: bigint
  readonly over: bigint
  readonly newestJob: bigint
  readonly lastAt: Date
}

/** Which jobs run with a tree of a repository, of the newest submissions that do. */
export const releaseUses = (
  db: Db,
  vo: string,
  repository: string,
  submissions: number,
): Promise<ReleaseUseRow[]> =>
  rows(
    db,
    sql<ReleaseUseRow>`with body as (
      select id, spec->'software' as software from job_body
      where vo = ${vo} and spec#>>'{software,repository}' = ${repository} order by id desc limit ${submissions})
    select body.software->>'release' as release, (body.software->>'revision')::int as revision,
      body.software->>'root' as root, q.job_type as "jobType", q.owner,
      count(*) filter (where j.ended_at is null) as open, count(*) filter (where j.ended_at is not null) as over,
      max(j.id) as "newestJob", max(j.submitted_at) as "lastAt"
    from body join job j on j.body_id = body.id join job_queue q on q.id = j.queue_id
    group by 1, 2, 3, 4, 5 order by max(j.id) desc limit 200`,
  )

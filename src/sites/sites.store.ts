import { type Db, rows, sql } from '../kernel/database.ts'
import type { Command, Gateway, GatewayReport, NewGateway, NewSite, Site } from './types.ts'

export async function upsertSites(
  db: Db,
  input: { vo: string; now: Date; sites: readonly NewSite[] },
): Promise<void> {
  await sql`insert into site (vo, name, title, country, latitude, longitude, created_at)
    select ${input.vo}, s.name, s.title, s.country, s.latitude, s.longitude, ${input.now}
    from jsonb_to_recordset(${JSON.stringify(input.sites)}::jsonb)
      as s(name text, title text, country text, latitude float8, longitude float8)
    on conflict (vo, name) do update set title = excluded.title, country = excluded.country,
      latitude = excluded.latitude, longitude = excluded.longitude`.execute(db)
}

export async function selectSites(db: Db, input: { vo: string }): Promise<Site[]> {
  return rows(
    db,
    sql<Site>`select id, vo, name, title, country, latitude, longitude from site where vo = ${input.vo} order by name`,
  )
}

/** Upserts gateways; returns the names whose site does not exist. */
export async function upsertGateways(
  db: Db,
  input: { vo: string; now: Date; gateways: readonly NewGateway[] },
): Promise<string[]> {
  const written = await rows(
    db,
    sql<{ name: string }>`insert into gateway (site_id, name, client_id, endpoint, registered_at)
      select s.id, g.name, g."clientId", g.endpoint, ${input.now}
      from jsonb_to_recordset(${JSON.stringify(input.gateways)}::jsonb)
        as g(site text, name text, "clientId" text, endpoint text)
      join site s on s.vo = ${input.vo} and s.name = g.site
      on conflict (name) do update set site_id = excluded.site_id, client_id = excluded.client_id,
        endpoint = excluded.endpoint
      returning name`,
  )
  const known = new Set(written.map(({ name }) => name))
  return input.gateways.filter(({ name }) => !known.has(name)).map(({ name }) => name)
}

const gatewayColumns = sql`g.id, s.vo, s.name as site, g.name, g.client_id as "clientId", g.endpoint,
  g.last_seen_at as "lastSeenAt", nullif(g.report, '{}') as report`

export async function selectGateways(
  db: Db,
  filter: { vo?: string; site?: string; name?: string },
): Promise<Gateway[]> {
  const { vo, site, name } = filter
  return rows(
    db,
    sql<Gateway>`select ${gatewayColumns} from gateway g join site s on s.id = g.site_id
      where (${vo ?? null}::text is null or s.vo = ${vo ?? null})
        and (${site ?? null}::text is null or s.name = ${site ?? null})
        and (${name ?? null}::text is null or g.name = ${name ?? null})
      order by s.name, g.name`,
  )
}

/** Stores a report; true when the gateway was silent (or never heard) before. */
export async function updateReport(
  db: Db,
  input: { gatewayId: number; now: Date; silentBefore: Date; report: GatewayReport },
): Promise<boolean> {
  const [before] = await rows(
    db,
    sql<{ back: boolean }>`
      with old as (select last_seen_at from gateway where id = ${input.gatewayId} for update)
      update gateway set last_seen_at = ${input.now}, version = ${input.report.version},
        report = ${JSON.stringify(input.report)}::jsonb
      from old where id = ${input.gatewayId}
      returning old.last_seen_at is null or old.last_seen_at < ${input.silentBefore} as back`,
  )
  return before?.back ?? false
}

interface NewCommand {
  readonly id: string
  readonly gatewayId: number
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
}

export async function insertCommands(
  db: Db,
  input: { now: Date; deadline: Date; commands: readonly NewCommand[] },
): Promise<void> {
  await sql`insert into gateway_command (id, gateway_id, kind, payload, created_at, deadline)
    select c.id, c."gatewayId", c.kind, c.payload, ${input.now}, ${input.deadline}
    from jsonb_to_recordset(${JSON.stringify(input.commands)}::jsonb)
      as c(id uuid, "gatewayId" int, kind text, payload jsonb)`.execute(db)
}

const commandColumns = sql`c.id, g.name as gateway, c.kind, c.payload, c.state, c.created_at as "createdAt",
  c.finished_at as "finishedAt", c.result`

/** Claims commands for a gateway: new ones, and those sent before `resendBefore` without a result. */
export async function claimCommands(
  db: Db,
  input: { gatewayId: number; now: Date; resendBefore: Date; limit: number },
): Promise<Command[]> {
  return rows(
    db,
    sql<Command>`
      with due as (
        select id from gateway_command
        where gateway_id = ${input.gatewayId}
          and (state = 'queued' or (state = 'sent' and sent_at < ${input.resendBefore}))
        order by created_at limit ${input.limit} for update skip locked)
      update gateway_command c set state = 'sent', sent_at = ${input.now}
      from due, gateway g where c.id = due.id and g.id = c.gateway_id
      returning ${commandColumns}`,
  )
}

/** Keeps a long command from being sent again while it runs. */
export async function touchCommands(
  db: Db,
  input: { gatewayId: number; now: Date; ids: readonly string[] },
): Promise<void> {
  await sql`update gateway_command set sent_at = ${input.now}
    where gateway_id = ${input.gatewayId} and state = 'sent' and id = any(${input.ids}::uuid[])`.execute(db)
}

/** Stores the first result of each command; later ones change nothing. Returns the ids that were still open. */
export async function finishCommands(
  db: Db,
  input: {
    gatewayId: number
    now: Date
    results: readonly { id: string; ok: boolean; result: Readonly<Record<string, unknown>> }[]
  },
): Promise<string[]> {
  const closed = await rows(
    db,
    sql<{ id: string }>`update gateway_command c
      set state = case when r.ok then 'done' else 'failed' end, finished_at = ${input.now}, result = r.result
      from jsonb_to_recordset(${JSON.stringify(input.results)}::jsonb) as r(id uuid, ok boolean, result jsonb)
      where c.id = r.id and c.gateway_id = ${input.gatewayId} and c.state in ('queued', 'sent')
      returning c.id`,
  )
  return closed.map(({ id }) => id)
}

export async function failOverdueCommands(db: Db, now: Date): Promise<number> {
  const { numAffectedRows } = await sql`update gateway_command
    set state = 'failed', finished_at = ${now}, result = '{"error": "The gateway did not answer in time."}'
    where state in ('queued', 'sent') and deadline < ${now}`.execute(db)
  return Number(numAffectedRows ?? 0n)
}

export async function selectCommands(
  db: Db,
  input: { vo: string; ids: readonly string[] },
): Promise<Command[]> {
  return rows(
    db,
    sql<Command>`select ${commandColumns} from gateway_command c
      join gateway g on g.id = c.gateway_id join site s on s.id = g.site_id
      where s.vo = ${input.vo} and c.id = any(${input.ids}::uuid[])`,
  )
}

import { affected, type Db, row, rows, sql, type Tx } from '../kernel/database.ts'
import type { GatewayReport } from './site-state.ts'

export interface SiteRow {
  readonly id: number
  readonly vo: string
  readonly name: string
  readonly title: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  /** Gateway of another site that acts for it, when it has none of its own. */
  readonly through: string | null
}
export interface GatewayRow {
  readonly id: number
  readonly siteId: number
  readonly vo: string
  readonly name: string
  readonly clientId: string
  readonly endpoint: string
  readonly version: string
  readonly lastSeenAt: Date | null
  readonly report: GatewayReport
}
export interface GatewayCommand {
  readonly id: string
  readonly kind: string
  readonly payload: Record<string, unknown>
  readonly deadline: Date
}

export type NewSite = Omit<SiteRow, 'id' | 'through'> & Partial<Pick<SiteRow, 'through'>>

export const insertSites = (tx: Tx, now: Date, sites: readonly NewSite[]): Promise<SiteRow[]> =>
  rows(
    tx,
    sql<SiteRow>`insert into site (vo, name, title, country, latitude, longitude, through, created_at)
    select s.vo, s.name, s.title, s.country, s.latitude, s.longitude, s.through, ${now}
    from jsonb_to_recordset(${JSON.stringify(sites)}::jsonb)
      as s(vo text, name text, title text, country text, latitude float8, longitude float8, through text)
    on conflict (vo, name) do nothing returning id, vo, name, title, country, latitude, longitude, through`,
  )

export const sitesOf = (db: Db, vo: string): Promise<SiteRow[]> =>
  rows(
    db,
    sql<SiteRow>`select id, vo, name, title, country, latitude, longitude, through from site where vo = ${vo} order by name`,
  )

const gatewayColumns = sql`g.id, g.site_id as "siteId", s.vo, g.name, g.client_id as "clientId", g.endpoint, g.version,
  g.last_seen_at as "lastSeenAt", g.report`

export const gatewaysOf = (db: Db, vo: string): Promise<GatewayRow[]> =>
  rows(
    db,
    sql<GatewayRow>`select ${gatewayColumns} from gateway g join site s on s.id = g.site_id where s.vo = ${vo} order by g.name`,
  )

export const gatewayNamed = (db: Db, name: string): Promise<GatewayRow | undefined> =>
  row(
    db,
    sql<GatewayRow>`select ${gatewayColumns} from gateway g join site s on s.id = g.site_id where g.name = ${name}`,
  )

export const upsertGateway = (
  tx: Tx,
  now: Date,
  g: { siteId: number; name: string; clientId: string; endpoint: string },
): Promise<number> =>
  affected(
    tx,
    sql`insert into gateway (site_id, name, client_id, endpoint, registered_at)
    values (${g.siteId}, ${g.name}, ${g.clientId}, ${g.endpoint}, ${now})
    on conflict (name) do update set endpoint = excluded.endpoint where gateway.site_id = excluded.site_id`,
  )

export const recordReport = (tx: Tx, now: Date, name: string, report: GatewayReport): Promise<number> =>
  affected(
    tx,
    sql`update gateway set last_seen_at = ${now}, version = ${report.version ?? ''}, report = ${JSON.stringify(report)}::jsonb
    where name = ${name}`,
  )

export const insertCommands = (
  tx: Tx,
  now: Date,
  commands: readonly { id: string; gatewayId: number; kind: string; payload: unknown; deadline: Date }[],
): Promise<number> =>
  affected(
    tx,
    sql`insert into gateway_command (id, gateway_id, kind, payload, created_at, deadline)
    select c.id, c."gatewayId", c.kind, c.payload, ${now}, c.deadline
    from jsonb_to_recordset(${JSON.stringify(commands)}::jsonb)
      as c(id uuid, "gatewayId" int, kind text, payload jsonb, deadline timestamptz)`,
  )

/** An answer may be lost on the way; a gateway that has the order already takes no notice. */
const RESEND_MS = 20_000

/** Queued commands, and those sent a while ago without an answer: the gateway may have been restarted since. */
export const claimCommands = (
  tx: Tx,
  now: Date,
  gatewayId: number,
  limit: number,
): Promise<GatewayCommand[]> =>
  rows(
    tx,
    sql<GatewayCommand>`update gateway_command set state = 'sent', sent_at = ${now}
    where id in (select id from gateway_command where gateway_id = ${gatewayId} and deadline > ${now}
        and (state = 'queued' or (state = 'sent' and sent_at < ${new Date(now.getTime() - RESEND_MS)}))
      order by created_at limit ${limit} for update skip locked)
    returning id, kind, payload, deadline`,
  )

export const finishCommand = (
  tx: Tx,
  now: Date,
  gatewayId: number,
  id: string,
  ok: boolean,
  result: unknown,
): Promise<number> =>
  affected(
    tx,
    sql`update gateway_command set state = ${ok ? 'done' : 'failed'}, finished_at = ${now}, result = ${JSON.stringify(result)}::jsonb
    where id = ${id} and gateway_id = ${gatewayId} and state = 'sent'`,
  )

/** Commands past their deadline; returns them with the VO to tell it to. */
export const failOverdueCommands = (
  tx: Tx,
  now: Date,
  limit: number,
): Promise<{ id: string; vo: string; gateway: string; kind: string }[]> =>
  rows(
    tx,
    sql<{ id: string; vo: string; gateway: string; kind: string }>`
    update gateway_command c set state = 'failed', finished_at = ${now},
      result = jsonb_build_object('message', 'The gateway did not finish this in time.')
    from gateway g join site s on s.id = g.site_id
    where g.id = c.gateway_id and c.id in (select id from gateway_command
      where state in ('queued', 'sent') and deadline <= ${now} order by deadline limit ${limit} for update skip locked)
    returning c.id, s.vo, g.name as gateway, c.kind`,
  )

export const nextCommandDeadline = async (db: Db): Promise<Date | null> =>
  (
    await row(
      db,
      sql<{ deadline: Date | null }>`select min(deadline) as deadline from gateway_command
      where state in ('queued', 'sent')`,
    )
  )?.deadline ?? null

export interface CommandRow {
  readonly id: string
  readonly vo: string
  readonly gateway: string
  readonly kind: string
  readonly state: 'queued' | 'sent' | 'done' | 'failed'
  readonly createdAt: Date
  readonly sentAt: Date | null
  readonly finishedAt: Date | null
  readonly deadline: Date
  readonly result: Record<string, unknown> | null
}

export const commandOf = (db: Db, vo: string, id: string): Promise<CommandRow | undefined> =>
  row(
    db,
    sql<CommandRow>`select c.id, s.vo, g.name as gateway, c.kind, c.state, c.created_at as "createdAt",
      c.sent_at as "sentAt", c.finished_at as "finishedAt", c.deadline, c.result
    from gateway_command c join gateway g on g.id = c.gateway_id join site s on s.id = g.site_id
    where c.id = ${id} and s.vo = ${vo}`,
  )

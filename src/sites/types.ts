export interface NewSite {
  readonly name: string
  readonly title: string
  /** ISO 3166, two capitals. */
  readonly country: string
  readonly latitude: number
  readonly longitude: number
}

export interface Site extends NewSite {
  readonly id: number
  readonly vo: string
}

export interface NewGateway {
  readonly site: string
  readonly name: string
  /** The service client it logs in with. */
  readonly clientId: string
  /** Base URL of its storage door. */
  readonly endpoint: string
}

/** A storage area as its gateway sees it. */
export interface AreaReport {
  readonly path: string
  readonly totalBytes: number
  readonly usedBytes: number
  readonly files?: number
}

export interface GatewayReport {
  readonly version: string
  readonly areas: readonly AreaReport[]
  readonly rssBytes?: number
  /** What the gateway itself finds wrong, in words. */
  readonly problems?: readonly string[]
}

export interface Gateway {
  readonly id: number
  readonly vo: string
  readonly site: string
  readonly name: string
  readonly clientId: string
  readonly endpoint: string
  readonly lastSeenAt: Date | null
  readonly report: GatewayReport | null
}

export type SiteStateName = 'ok' | 'degraded' | 'down' | 'unknown'

export interface SiteState {
  readonly state: SiteStateName
  /** A sentence for people; empty when all is well. */
  readonly reason: string
  readonly since: Date | null
}

export type CommandState = 'queued' | 'sent' | 'done' | 'failed'

export interface Command {
  readonly id: string
  readonly gateway: string
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly state: CommandState
  readonly createdAt: Date
  readonly finishedAt: Date | null
  readonly result: Readonly<Record<string, unknown>> | null
}

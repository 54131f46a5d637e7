import { defineError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import { type Clock, systemPorts } from '../kernel/ports.ts'
import { retry } from '../kernel/retry.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch/batch-system.ts'
import type { BatchSystems, WatchedBatch } from './batch/systems.ts'
import type { ServerChannel } from './channel.ts'
import type { GatewayConfig } from './config.ts'

const badOrder = defineError('invalid', 'bad_order')

export interface PilotKeeper {
  /** Carries out an order of the server for pilots. */
  start(payload: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>
  /** Goes all the way to a batch system and says how far it came. */
  test(payload: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>
  /** Tells the server what becomes of pilots, until the signal. */
  watch(signal: AbortSignal): Promise<void>
  /** Ends those that run as processes of this machine. */
  stop(): Promise<void>
}

const LOOK_MS = 1_000
/** A pilot may wait for days: the server must hear of it, and its token must not grow old. */
const RETELL_MS = 600_000
const RENEW_MS = 2 * 3_600_000
const SUBMIT_AGAIN = { attempts: 4, firstMs: 2_000, capMs: 10_000 }
/** Shorter than whoever stops a gateway waits for it. */
const STOP_GRACE_MS = 6_000
const DRAIN_SECONDS = 3
const REPORTED_AT_ONCE = 500

/** The part of a gateway that starts pilots for the server and watches over them. */
export function pilotKeeper(deps: {
  readonly config: GatewayConfig
  readonly channel: Pick<ServerChannel, 'post'>
  /** Caches of software near pilots on this machine; those of a cluster may not reach them. */
  readonly softwareServers: readonly string[]
  readonly batches: BatchSystems
  readonly clock: Clock
  readonly log: Logger
}): PilotKeeper {
  const { config, channel, batches, clock, log, softwareServers } = deps
  /** The state last told of each pilot, and when. */
  const told = new Map<string, { state: string; at: number }>()
  /** Since when each waiting pilot has its token. */
  const tokens = new Map<string, number>()

  const fileOf =
    (batch: BatchSystem, offer: Record<string, unknown>) =>
    async (stamp: string): Promise<PilotFile> => {
      const answer = await channel.post(`pilots/${stamp}/token`, {})
      const { token } = (await answer.json()) as { token: string }
      tokens.set(stamp, clock.now().getTime())
      return {
        ...offer,
        ...{
          server: config.server,
          ca: config.ca,
          stamp,
          token,
          drainSeconds: DRAIN_SECONDS,
          softwareServers: batch === batches.local ? softwareServers : [],
        },
        ...{ idleSeconds: config.pilotIdleSeconds, heartbeatSeconds: config.pilotHeartbeatSeconds },
      }
    }

  async function tell({ batch, offer }: WatchedBatch): Promise<void> {
    const now = clock.now().getTime()
    const found = await batch.list()
    const isNews = ({ stamp, state }: BatchPilot): boolean => {
      const before = told.get(stamp)
      return before?.state !== state || (state === 'Waiting' && now - before.at > RETELL_MS)
    }
    const news = found.filter(isNews).slice(0, REPORTED_AT_ONCE)
    if (news.length > 0) await report(news)
    for (const { stamp, state } of news) told.set(stamp, { state, at: now })
    const over = news.filter(isOver).map(({ stamp }) => stamp)
    if (over.length > 0) await batch.forget(over)
    for (const stamp of over) told.delete(stamp)
    await renewTokens(batch, offer, found, now)
  }

  /** After a restart nobody knows how old the tokens are: all are renewed. */
  async function renewTokens(
    batch: BatchSystem,
    offer: Readonly<Record<string, unknown>>,
    found: readonly BatchPilot[],
    now: number,
  ): Promise<void> {
    const old = found.filter(
      ({ stamp, state }) => state === 'Waiting' && now - (tokens.get(stamp) ?? 0) > RENEW_MS,
    )
    if (old.length > 0)
      await batch.renew(
        old.map(({ stamp }) => stamp),
        fileOf(batch, offer),
      )
    for (const { stamp, state } of found) if (state !== 'Waiting') tokens.delete(stamp)
  }

  const report = (pilots: readonly (Omit<BatchPilot, 'state'> & { state: string })[]) =>
    channel.post('pilots', {
      pilots: pilots.map(({ stamp, state, reason, reference }) => ({
        ...{ stamp, state, reference, reason: reason.slice(0, 500) },
      })),
    })

  const orderOf = ({ batch, resource, cluster, offer }: Readonly<Record<string, unknown>>) => ({
    ...{ kind: batch, resource, cluster },
    offer: (offer ?? {}) as Readonly<Record<string, unknown>>,
  })

  return {
    async start(payload) {
      const { stamps } = payload
      const order = orderOf(payload)
      if (!Array.isArray(stamps) || stamps.some((stamp) => typeof stamp !== 'string'))
        throw badOrder('The order names no pilots.')
      try {
        const batch = await batches.of(order)
        await retry(() => batch.submit(stamps, fileOf(batch, order.offer)), SUBMIT_AGAIN, {
          clock,
          rng: systemPorts.rng,
        })
      } catch (error) {
        // Without this the server would wait for them; should one start all the same, it is told to end.
        const reason = (error as Error).message
        await report(stamps.map((stamp) => ({ stamp, state: 'Aborted', reason, reference: null })))
        throw error
      }
      return { started: stamps.length }
    },
    async test(payload) {
      return { steps: await batches.test(orderOf(payload)) }
    },
    async watch(signal) {
      const looks = new Map<string, Promise<void>>()
      const due = new Map<string, number>()
      while (!signal.aborted) {
        const now = clock.now().getTime()
        for (const watched of batches.all()) {
          const { name, lookMs } = watched
          if (looks.has(name) || (due.get(name) ?? 0) > now) continue
          due.set(name, now + lookMs)
          const look = tell(watched)
            .catch((error) => log.debug({ err: error, batch: name }, 'state of pilots not delivered'))
            .finally(() => looks.delete(name))
          looks.set(name, look)
        }
        await clock.sleep(LOOK_MS, signal)
      }
      await Promise.all(looks.values())
    },
    async stop() {
      const { local } = batches
      const running = (await local.list()).filter((pilot) => !isOver(pilot)).map(({ stamp }) => stamp)
      await local.cancel(running, STOP_GRACE_MS)
      await batches.close()
    },
  }
}

const isOver = ({ state }: BatchPilot): boolean => state === 'Done' || state === 'Failed'

import { defineError } from '../kernel/errors.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch/batch-system.ts'
import type { ServerChannel } from './channel.ts'
import type { GatewayConfig } from './config.ts'

const badOrder = defineError('invalid', 'bad_order')

export interface PilotKeeper {
  /** Carries out an order of the server for pilots. */
  start(payload: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>
  /** Tells the server what becomes of pilots, until the signal. */
  watch(signal: AbortSignal): Promise<void>
  /** Ends those that run as processes of this machine. */
  stop(): Promise<void>
}

const LOOK_MS = 2_000
/** Shorter than whoever stops a gateway waits for it. */
const STOP_GRACE_MS = 6_000
const DRAIN_SECONDS = 3
const REPORTED_AT_ONCE = 500

/** The part of a gateway that starts pilots for the server and watches over them. */
export function pilotKeeper(deps: {
  readonly config: GatewayConfig
  readonly channel: Pick<ServerChannel, 'post'>
  /** Caches of software near the pilots. */
  readonly softwareServers: readonly string[]
  readonly batches: Readonly<Record<string, BatchSystem>>
  readonly clock: Clock
  readonly log: Logger
}): PilotKeeper {
  const { config, channel, batches, clock, log, softwareServers } = deps
  /** The state last told of each pilot. */
  const told = new Map<string, string>()

  const fileOf =
    (offer: Record<string, unknown>) =>
    async (stamp: string): Promise<PilotFile> => {
      const answer = await channel.post(`pilots/${stamp}/token`, {})
      const { token } = (await answer.json()) as { token: string }
      return {
        ...offer,
        ...{
          server: config.server,
          ca: config.ca,
          stamp,
          token,
          drainSeconds: DRAIN_SECONDS,
          softwareServers,
        },
        ...{ idleSeconds: config.pilotIdleSeconds, heartbeatSeconds: config.pilotHeartbeatSeconds },
      }
    }

  async function tell(batch: BatchSystem): Promise<void> {
    const found = await batch.list()
    const news = found.filter(({ stamp, state }) => told.get(stamp) !== state).slice(0, REPORTED_AT_ONCE)
    if (news.length === 0) return
    await channel.post('pilots', {
      pilots: news.map(({ stamp, state, reason, reference }) => ({
        ...{ stamp, state, reference, reason: reason.slice(0, 500) },
      })),
    })
    for (const { stamp, state } of news) told.set(stamp, state)
    const over = news.filter(isOver).map(({ stamp }) => stamp)
    await batch.forget(over)
    for (const stamp of over) told.delete(stamp)
  }

  return {
    async start(payload) {
      const { batch: kind, stamps, offer } = payload
      const batch = typeof kind === 'string' && Object.hasOwn(batches, kind) ? batches[kind] : undefined
      if (!batch) throw badOrder(`This gateway has no batch system "${String(kind)}".`)
      if (!Array.isArray(stamps) || stamps.some((stamp) => typeof stamp !== 'string'))
        throw badOrder('The order names no pilots.')
      await batch.submit(stamps, fileOf((offer ?? {}) as Record<string, unknown>))
      return { started: stamps.length }
    },
    async watch(signal) {
      while (!signal.aborted) {
        for (const batch of Object.values(batches))
          await tell(batch).catch((error) => log.debug({ err: error }, 'state of pilots not delivered'))
        await clock.sleep(LOOK_MS, signal)
      }
    },
    async stop() {
      const local = batches.local
      if (!local) return
      const running = (await local.list()).filter((pilot) => !isOver(pilot)).map(({ stamp }) => stamp)
      await local.cancel(running, STOP_GRACE_MS)
    },
  }
}

const isOver = ({ state }: BatchPilot): boolean => state === 'Done' || state === 'Failed'

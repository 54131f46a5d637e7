import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { backoffMs } from '../kernel/retry.ts'
import type { ServerChannel } from './channel.ts'

/** Work the server wants done here. */
export interface Order {
  readonly id: string
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
}

interface Outcome {
  readonly ok: boolean
  readonly result: Readonly<Record<string, unknown>>
}

export type OrderKinds = Readonly<Record<string, (payload: Order['payload']) => Promise<Outcome['result']>>>

export interface Orders {
  /** Starts orders beside those that run; one that is known already, because it was sent again, is not started twice. */
  take(orders: readonly Order[]): void
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>
}

/** Carries out orders: kinds run beside each other, orders of one kind one after the other. */
export function createOrders(
  kinds: OrderKinds,
  deps: { channel: Pick<ServerChannel, 'post'>; clock: Clock; log: Logger; signal: AbortSignal },
): Orders {
  const { channel, clock, log, signal } = deps
  const known = new Map<string, Promise<void>>()
  const lanes = new Map<string, Promise<void>>()

  async function carryOut({ kind, payload }: Order): Promise<Outcome> {
    const work = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
    if (!work) return { ok: false, result: { message: `This gateway does not know the order "${kind}".` } }
    try {
      return { ok: true, result: await work(payload) }
    } catch (error) {
      return { ok: false, result: { message: (error as Error).message } }
    }
  }

  /** The server may be away for long; what was done must not be done again because nobody heard of it. */
  async function tell(id: string, outcome: Outcome): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        return void (await channel.post(`commands/${id}/result`, outcome))
      } catch (error) {
        // 404 and 409: the server has given the order up or had this report already.
        const status = (error as { details?: { status?: unknown } }).details?.status
        if (status === 404 || status === 409) return
        log.debug({ err: error, id }, 'outcome of an order not delivered')
        const wait = backoffMs(++failures, { firstMs: 500, capMs: 15_000 }, { next: Math.random })
        await clock.sleep(wait, signal)
      }
    }
  }

  return {
    take(orders) {
      for (const order of orders) {
        if (known.has(order.id)) continue
        const before = lanes.get(order.kind) ?? Promise.resolve()
        const done = before.then(() => (signal.aborted ? undefined : carryOut(order)))
        lanes.set(
          order.kind,
          done.then(() => undefined),
        )
        const told = done
          .then((outcome) => (outcome && !signal.aborted ? tell(order.id, outcome) : undefined))
          .finally(() => known.delete(order.id))
        known.set(order.id, told)
      }
    },
    async settled() {
      while (known.size > 0) await Promise.all(known.values())
    },
  }
}

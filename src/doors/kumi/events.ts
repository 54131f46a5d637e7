import type { FastifyInstance } from 'fastify'
import { bigintSafeJson, route } from '../../http/index.ts'
import { type EventPosition, eventsAfter, type StoredEvent } from '../../kernel/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import { eventTail } from './event-tail.ts'

const HEARTBEAT_MS = 15_000
// Whoever was away longer than this many events is told to load everything anew.
const REPLAY_LIMIT = 1000

const parsePosition = (text: unknown): EventPosition | undefined => {
  const match = /^(\d{1,20})-(\d{1,19})$/.exec(typeof text === 'string' ? text : '')
  return match ? { xact: match[1]!, id: BigInt(match[2]!) } : undefined
}

/** The live stream: one message per batch of events, its id the position from which a client can go on. */
export function eventStream(app: FastifyInstance, deps: KumiDoorDeps): void {
  const tail = eventTail(deps.db, deps.wakeups)
  route(app, {
    method: 'GET',
    url: '/kumi/v1/events',
    action: 'operations.read',
    handler: async (request, reply) => {
      const { vo } = request.principal
      const missedFrom = parsePosition(request.headers['last-event-id'])
      const missed = missedFrom && (await eventsAfter(deps.db, missedFrom, REPLAY_LIMIT))
      const start = missed?.position ?? (await tail.position())
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      const send = (events: readonly StoredEvent[], position: EventPosition): void => {
        // A client that does not read gets nothing more queued: it resumes from its last id after reconnecting.
        if (raw.writableLength > 1_000_000) return void raw.destroy()
        const mine = events.filter((event) => event.vo === vo)
        if (mine.length === 0) return
        const news = mine.map(({ kind, subject, at }) => ({ kind, subject, at }))
        raw.write(`id: ${position.xact}-${position.id}\ndata: ${bigintSafeJson(news)}\n\n`)
      }
      raw.write(`retry: 2000\nid: ${start.xact}-${start.id}\n`)
      raw.write(
        missed && missed.events.length >= REPLAY_LIMIT
          ? 'event: reload\ndata: {}\n\n'
          : 'event: hello\ndata: {}\n\n',
      )
      if (missed) send(missed.events, missed.position)
      const unsubscribe = tail.subscribe(send)
      const heartbeat = setInterval(() => raw.write(': still here\n\n'), HEARTBEAT_MS)
      heartbeat.unref()
      const expiry = setTimeout(
        () => raw.end(),
        Math.min(
          Math.max(request.principal.expiresAt.getTime() - deps.clock.now().getTime(), 0),
          2 ** 31 - 1,
        ),
      )
      expiry.unref()
      raw.on('close', () => {
        unsubscribe()
        clearInterval(heartbeat)
        clearTimeout(expiry)
      })
    },
  })
}

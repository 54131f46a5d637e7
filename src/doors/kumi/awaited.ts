import type { FastifyRequest } from 'fastify'
import type { Wakeups } from '../../kernel/events.ts'
import type { Clock } from '../../kernel/ports.ts'

/** Should a wake-up be lost. */
const LOOK_AGAIN_MS = 5_000

/** What `look` finds, as soon as it finds something, or undefined after so many seconds. */
export async function awaited<T>(
  request: { readonly raw: Pick<FastifyRequest['raw'], 'socket'> },
  { clock, wakeups }: { readonly clock: Clock; readonly wakeups: Wakeups },
  wanted: {
    /** What is woken when there may be something. */
    readonly topics: readonly string[]
    readonly seconds: number
    /** Two looks are at least so far apart, however often it is woken. */
    readonly restMs?: number
    readonly look: () => Promise<T | undefined>
  },
): Promise<T | undefined> {
  const until = clock.now().getTime() + wanted.seconds * 1000
  const gone = new AbortController()
  const leave = (): void => gone.abort()
  request.raw.socket.once('close', leave)
  try {
    for (;;) {
      // Listen before looking, so that nothing queued in between is missed.
      const nap = new AbortController()
      const off = wakeups.on(wanted.topics, () => nap.abort())
      try {
        const found = await wanted.look()
        const left = () => until - clock.now().getTime()
        if (found !== undefined || left() <= 0 || gone.signal.aborted) return found
        if (wanted.restMs) await clock.sleep(Math.min(left(), wanted.restMs), gone.signal)
        await clock.sleep(Math.min(left(), LOOK_AGAIN_MS), AbortSignal.any([nap.signal, gone.signal]))
      } finally {
        off()
      }
    }
  } finally {
    // The connection is kept and carries the next question.
    request.raw.socket.off('close', leave)
  }
}

import { isGridError } from './errors.ts'
import type { Clock, Rng } from './ports.ts'

export interface RetryPolicy {
  readonly attempts: number
  readonly firstMs: number
  readonly capMs: number
}

/** Delay before attempt `n` (1 = the first retry): exponential, capped, half of it random. */
export function backoffMs(n: number, policy: Pick<RetryPolicy, 'firstMs' | 'capMs'>, rng: Rng): number {
  const full = Math.min(policy.capMs, policy.firstMs * 2 ** (n - 1))
  return Math.round(full / 2 + (full / 2) * rng.next())
}

/** Runs `work` again while it throws a `transient` GridError; the only retry loop of the program. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  policy: RetryPolicy,
  ports: { clock: Clock; rng: Rng },
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const again = isGridError(error) && error.kind === 'transient' && attempt < policy.attempts
      if (!again || signal?.aborted) throw error
      await ports.clock.sleep(backoffMs(attempt, policy, ports.rng), signal)
    }
  }
}

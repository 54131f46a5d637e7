import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The metrics of one process. Names are `grid_<domain>_<noun>_<unit>`; labels never carry a file name or a user. */
export const metrics = new Registry()
let defaultsOn = false

export function enableProcessMetrics(): void {
  if (defaultsOn) return
  defaultsOn = true
  collectDefaultMetrics({ register: metrics })
}

export function counter<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
): Counter<L> {
  return new Counter({ name, help, labelNames: [...labelNames], registers: [metrics] })
}

export function gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
  return new Gauge({ name, help, labelNames: [...labelNames], registers: [metrics] })
}

export function histogram<L extends string>(
  name: string,
  help: string,
  buckets: number[],
  labelNames: readonly L[] = [],
): Histogram<L> {
  return new Histogram({ name, help, buckets, labelNames: [...labelNames], registers: [metrics] })
}

/** A gauge whose values are found out when somebody asks for them; without an answer there are none. */
export function collectedGauge<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  collect: (set: (labels: Readonly<Record<L, string>>, value: number) => void) => Promise<void>,
): void {
  new Gauge<L>({
    ...{ name, help, labelNames: [...labelNames], registers: [metrics] },
    async collect() {
      this.reset()
      await collect((labels, value) => this.set(labels, value)).catch(() => this.reset())
    },
  })
}

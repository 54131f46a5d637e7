import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'
import { type EndOptions, endOf, timeOf } from './time-options.ts'

interface Downtime {
  readonly id: number
  readonly site: string
  readonly storage: string | null
  readonly resource: string | null
  readonly severity: string
  readonly startsAt: string
  readonly endsAt: string
  readonly reason: string
  readonly madeBy: string
  readonly state: string
}

export interface AddDowntimeOptions extends SharedOptions, EndOptions {
  readonly from?: string
  readonly storage?: string
  readonly place?: string
  readonly warning?: boolean
  readonly why: string
}

/** Announces a downtime of a site, or of one storage or place of it. */
export async function addDowntime(site: string, options: AddDowntimeOptions): Promise<void> {
  const startsAt = options.from === undefined ? new Date() : timeOf('--from', options.from)
  const endsAt = endOf(startsAt, options, 'A downtime')
  await withClient(options, async (client) => {
    const made = await client.json<Downtime>('POST', '/kumi/v1/downtimes', {
      json: {
        ...{ site, severity: options.warning ? 'WARNING' : 'OUTAGE', reason: options.why },
        ...(options.storage !== undefined && { storage: options.storage }),
        ...(options.place !== undefined && { resource: options.place }),
        ...(options.from !== undefined && { startsAt: startsAt.toISOString() }),
        endsAt: endsAt.toISOString(),
      },
    })
    show(options, made, () => `Downtime ${made.id} of ${nameOf(made)}: ${made.startsAt} until ${made.endsAt}`)
  })
}

export async function listDowntimes(options: SharedOptions & { days?: string }): Promise<void> {
  await withClient(options, async (client) => {
    const since = options.days && new Date(Date.now() - Number(options.days) * 86_400_000).toISOString()
    const path = `/kumi/v1/downtimes${since ? `?from=${encodeURIComponent(since)}` : ''}`
    const { downtimes } = await client.json<{ downtimes: Downtime[] }>('GET', path)
    show(options, downtimes, () =>
      downtimes.length === 0
        ? 'No downtime is announced. Announce one with: kumi site downtime add SITE --hours N --why TEXT'
        : table(downtimes, [
            { title: 'ID', value: ({ id }) => String(id) },
            { title: 'OF', value: nameOf },
            { title: 'KIND', value: ({ severity }) => severity },
            { title: 'STATE', value: ({ state }) => state },
            { title: 'FROM', value: ({ startsAt }) => startsAt },
            { title: 'UNTIL', value: ({ endsAt }) => endsAt },
            { title: 'BY', value: ({ madeBy }) => madeBy },
            { title: 'WHY', value: ({ reason }) => reason },
          ]),
    )
  })
}

export async function endDowntime(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const ended = await client.json<Downtime>('POST', `/kumi/v1/downtimes/${encodeURIComponent(id)}/end`, {
      json: {},
    })
    const what = ended.state === 'cancelled' ? 'is withdrawn' : `ended at ${ended.endsAt}`
    show(options, ended, () => `Downtime ${ended.id} of ${nameOf(ended)} ${what}.`)
  })
}

const nameOf = ({ site, storage, resource }: Downtime): string =>
  storage || resource ? `${storage ?? resource} (${site})` : site

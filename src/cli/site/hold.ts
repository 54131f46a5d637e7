import { type GridClient, withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'
import { type EndOptions, endOf } from './time-options.ts'

export type HoldState = 'exclude' | 'throttle' | 'keep' | 'free'

export interface HoldOptions extends SharedOptions, EndOptions {
  readonly place?: string
  readonly reason?: string
}

interface Held {
  readonly site: string
  readonly resource: string | null
  readonly action: Exclude<HoldState, 'free'>
  readonly reason: string
  readonly madeBy: string | null
  readonly until: string
}

const WORDS = {
  exclude: 'gets no pilots',
  throttle: 'gets few pilots',
  keep: 'gets as many as usual',
} as const

const nameOf = ({ site, resource }: Held): string => (resource ? `${resource} (${site})` : site)

/** Decides about a site, or one place of it, until a time; `free` gives it back to the machine. */
export async function holdSite(state: HoldState, site: string, options: HoldOptions): Promise<void> {
  const { place, reason } = options
  const until = state === 'free' ? undefined : endOf(new Date(), options, 'What a person decides')
  await withClient(options, async (client) => {
    if (place !== undefined) await requirePlace(client, site, place)
    const kind = place === undefined ? 'site' : 'resource'
    const name = place ?? site
    const { entities } = await client.json<{ entities: Held[] }>(
      'POST',
      `/kumi/v1/operations/entities/${kind}/${encodeURIComponent(name)}/state`,
      {
        json: {
          state,
          ...(reason !== undefined && { reason }),
          ...(until && { until: until.toISOString() }),
        },
      },
    )
    show(options, entities, () => {
      const [made] = entities
      return made
        ? `${nameOf(made)} ${WORDS[made.action]} until ${made.until}.`
        : `${name} is the machine’s again to judge.`
    })
  })
}

/** A slip of the hand shall not shut out a place of another site. */
async function requirePlace(client: GridClient, site: string, place: string): Promise<void> {
  const { sites } = await client.json<{ sites: { name: string; resources: { name: string }[] }[] }>(
    'GET',
    '/kumi/v1/sites/work',
  )
  const places = sites.find(({ name }) => name === site)?.resources.map(({ name }) => name) ?? []
  if (!places.includes(place))
    throw badOption(`${site} has no place ${place}${places.length > 0 ? `, but ${places.join(', ')}` : ''}.`)
}

/** What people, or the machine, decided about sites and places, and still holds. */
export async function listHeld(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { entities } = await client.json<{ entities: Held[] }>('GET', '/kumi/v1/operations/entities')
    show(options, entities, () =>
      entities.length === 0
        ? 'Every site gets as many pilots as there is work for.'
        : table(entities, [
            { title: 'WHAT', value: nameOf },
            { title: 'DECIDED', value: ({ action }) => action },
            { title: 'UNTIL', value: ({ until }) => until },
            { title: 'BY', value: ({ madeBy }) => madeBy ?? 'the grid' },
            { title: 'WHY', value: ({ reason }) => reason },
          ]),
    )
  })
}

import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { placeKinds } from './kinds.ts'
import { type PlaceOptions, small } from './place-kind.ts'

const noSuchSite = defineError('missing', 'no_such_site')

export interface AddOptions extends SharedOptions, PlaceOptions {
  readonly through: string
  readonly cores: string
  readonly memory: string
  readonly disk: string
  readonly hours: string
  readonly pilots: string
  readonly waiting: string
  readonly platform: string
  readonly tag?: string[]
  readonly title?: string
  readonly country?: string
}

interface SiteLine {
  readonly name: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  readonly gateway: string | null
}

/** Adds a site with a batch system, or changes how that is reached and what it offers. */
export async function addSite(name: string, options: AddOptions): Promise<void> {
  const { kind, cluster } = placeOf(options)
  await withClient(options, async (client) => {
    const { sites } = await client.json<{ sites: SiteLine[] }>('GET', '/kumi/v1/sites')
    const acting = sites.find((site) => site.name === options.through)
    if (!acting?.gateway)
      throw noSuchSite(`There is no site ${options.through} with a gateway.`, {
        hint: 'List them with: kumi site ls',
      })
    const path = encodeURIComponent(name)
    if (!sites.some((site) => site.name === name))
      await client.json('POST', `/kumi/v1/sites/${path}`, {
        json: {
          ...{ title: options.title ?? name, country: options.country ?? acting.country },
          ...{ latitude: acting.latitude, longitude: acting.longitude, through: acting.gateway },
        },
      })
    const place = {
      ...{ site: name, gateway: acting.gateway, kind, cluster, platform: options.platform },
      ...{ tags: options.tag ?? [], cores: small('--cores', options.cores) },
      ...{ memoryMb: small('--memory', options.memory), diskMb: small('--disk', options.disk) },
      ...{ seconds: small('--hours', options.hours) * 3600 },
      ...{ maxPilots: small('--pilots', options.pilots), maxWaiting: small('--waiting', options.waiting) },
    }
    await client.json('PUT', `/kumi/v1/compute/${path}`, { json: place })
    show(options, place, () => `Site ${name} is added. Try it with: kumi site test ${name}`)
  })
}

function placeOf(options: AddOptions): { kind: string; cluster: Record<string, string | number> } {
  const given = Object.entries(placeKinds).filter(([kind]) => typeof options[kind] === 'string')
  const [first, ...others] = given
  if (!first || others.length > 0)
    throw badOption(`Say where the batch system is, with one of --${Object.keys(placeKinds).join(', --')}.`)
  const [kind, place] = first
  return { kind, cluster: place.describe(String(options[kind]), options) }
}

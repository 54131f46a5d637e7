import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'

const badOption = defineError('invalid', 'bad_option')
const noSuchSite = defineError('missing', 'no_such_site')

export interface AddOptions extends SharedOptions {
  readonly slurm: string
  readonly through: string
  readonly hostKey?: string
  readonly partition?: string
  readonly account?: string
  readonly qos?: string
  readonly directory: string
  readonly node?: string
  readonly poll: string
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

/** Adds a site with a Slurm cluster, or changes how the cluster is reached and what it offers. */
export async function addSite(name: string, options: AddOptions): Promise<void> {
  const cluster = clusterOf(options)
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
      ...{ site: name, gateway: acting.gateway, kind: 'slurm', cluster, platform: options.platform },
      ...{ tags: options.tag ?? [], cores: whole('--cores', options.cores) },
      ...{ memoryMb: whole('--memory', options.memory), diskMb: whole('--disk', options.disk) },
      ...{ seconds: whole('--hours', options.hours) * 3600 },
      ...{ maxPilots: whole('--pilots', options.pilots), maxWaiting: whole('--waiting', options.waiting) },
    }
    await client.json('PUT', `/kumi/v1/compute/${path}`, { json: place })
    show(options, place, () => `Site ${name} is added. Try it with: kumi site test ${name}`)
  })
}

function clusterOf(options: AddOptions): Record<string, string | number> {
  const found = /^([^@\s]+)@([^@\s:]+)(?::(\d{1,5}))?$/.exec(options.slurm)
  if (!found) throw badOption(`--slurm needs user@host or user@host:port, not "${options.slurm}".`)
  return {
    ...{ user: found[1]!, host: found[2]!, port: Number(found[3] ?? 22), hostKey: options.hostKey ?? '' },
    ...{ partition: options.partition ?? '', account: options.account ?? '', qos: options.qos ?? '' },
    ...{ directory: options.directory, node: options.node ?? '', pollSeconds: whole('--poll', options.poll) },
  }
}

function whole(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw badOption(`${option} needs a whole number, not "${text}".`)
  return Number(text)
}

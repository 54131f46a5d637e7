import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { outline } from '../rule/rules.ts'
import { table } from '../terminal.ts'

const noSuchSite = defineError('missing', 'no_such_site')

interface Site {
  readonly name: string
  readonly title?: string
  readonly country?: string
  readonly state: string
  readonly explanation?: string | null
}

export async function ls(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { sites } = await client.json<{ sites: Site[] }>('GET', '/kumi/v1/sites')
    show(options, sites, () =>
      table(sites, [
        { title: 'SITE', value: (site) => site.name },
        { title: 'STATE', value: (site) => site.state },
        { title: 'COUNTRY', value: (site) => site.country },
        { title: 'TITLE', value: (site) => site.title },
        { title: 'REASON', value: (site) => site.explanation },
      ]),
    )
  })
}

export async function showSite(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { sites } = await client.json<{ sites: Site[] }>('GET', '/kumi/v1/sites')
    const site = sites.find((candidate) => candidate.name === name)
    if (!site) throw noSuchSite(`There is no site ${name}.`, { hint: 'List them with: kumi site ls' })
    show(options, site, () => outline(site))
  })
}

export async function scrub(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<unknown>('POST', `/kumi/v1/sites/${encodeURIComponent(name)}/scrub`, {
      json: {},
    })
    show(options, answer, () => `The gateways of ${name} are told to scrub:\n${outline(answer, '  ')}`)
  })
}

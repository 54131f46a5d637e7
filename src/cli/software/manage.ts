import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Proposed } from '../../software/local/publish.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show, whole } from '../common-options.ts'
import { bytesText, table } from '../terminal.ts'
import { waits } from './proposals.ts'

const base = '/kumi/v1/software'
const at = (name: string, ...rest: string[]) =>
  [`${base}/repositories`, encodeURIComponent(name), ...rest.map(encodeURIComponent)].join('/')

interface Line {
  readonly name: string
  readonly title: string
  readonly algorithm: string
  readonly revision: number
  readonly rootHash: string | null
  readonly publishedAt: string | null
  readonly whitelistExpiresAt: string | null
  readonly mirrorOf: readonly string[] | null
}
interface Repository extends Line {
  readonly renewsItself: boolean
  readonly masterPublicPem: string
  readonly approvals: readonly { path: string; account: string; at: string }[]
  readonly tags: readonly {
    name: string
    revision: number
    description: string
    account: string
    at: string
  }[]
  readonly objects: number
  readonly usedBytes: number
  readonly storedBytes: number
  readonly mirror: { urls: readonly string[]; checkedAt: string; failure: string | null } | null
}
interface Tagged extends Repository {
  readonly proposal: Proposed
}
interface Revision {
  readonly revision: number
  readonly kind: string
  readonly path: string
  readonly account: string
  readonly source: string
  readonly at: string
  readonly put: number
  readonly removed: number
  readonly approvedBy: string | null
  readonly droppedAt: string | null
}

const describe = (client: GridClient, name: string) => client.json<Repository>('GET', at(name))

export async function create(
  name: string,
  options: SharedOptions & { title?: string; algorithm?: string; masterKey?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const masterPublicPem = options.masterKey && readFileSync(options.masterKey, 'utf8')
    const made = await client.json<Repository>('POST', `${base}/repositories`, {
      json: { name, title: options.title, algorithm: options.algorithm, masterPublicPem },
    })
    show(options, made, () =>
      [
        `${name} is made; clients find it at ${client.place.server}/cvmfs/${name}`,
        made.renewsItself
          ? `Publish into it: kumi software publish DIRECTORY --repo ${name}`
          : `Sign its first whitelist with your master key: kumi software whitelist ${name} --help`,
      ].join('\n'),
    )
  })
}

export async function repositories(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<{ repositories: Line[] }>('GET', `${base}/repositories`)
    show(options, answer.repositories, () =>
      table(answer.repositories, [
        { title: 'REPOSITORY', value: (one) => one.name },
        { title: 'REVISION', right: true, value: (one) => one.revision },
        { title: 'PUBLISHED', value: (one) => one.publishedAt },
        { title: 'WHITELIST UNTIL', value: (one) => one.whitelistExpiresAt },
        { title: 'TITLE', value: (one) => one.title },
        { title: 'MIRROR OF', value: (one) => one.mirrorOf?.[0] ?? null },
      ]),
    )
  })
}

export async function showRepository(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const [found, { revisions }] = [
      await describe(client, name),
      await client.json<{ revisions: Revision[] }>('GET', at(name, 'revisions'), { query: { limit: 20 } }),
    ]
    show(options, { ...found, revisions }, () =>
      [
        `${found.name}  ${found.title}`,
        `revision ${found.revision}, root ${found.rootHash}`,
        ...(found.mirror
          ? [`mirror of ${found.mirror.urls.join(' ')}, verified ${found.mirror.checkedAt}`]
          : []),
        ...(found.mirror?.failure ? [`not since then: ${found.mirror.failure}`] : []),
        `${found.objects} objects, ${bytesText(found.usedBytes)} used of ${bytesText(found.storedBytes)} stored`,
        `whitelist until ${found.whitelistExpiresAt ?? '(none yet)'}, ${found.renewsItself ? 'renews itself' : 'signed elsewhere'}`,
        ...(found.approvals.length > 0
          ? [`needs approval: ${found.approvals.map(({ path }) => path || '/').join(', ')}`]
          : []),
        '',
        table(found.tags, [
          { title: 'TAG', value: (tag) => tag.name },
          { title: 'REVISION', right: true, value: (tag) => tag.revision },
          { title: 'BY', value: (tag) => tag.account },
          { title: 'DESCRIPTION', value: (tag) => tag.description },
        ]),
        '',
        table(revisions, [
          { title: 'REVISION', right: true, value: (one) => one.revision },
          { title: 'AT', value: (one) => one.at },
          { title: 'BY', value: (one) => one.account },
          ...(revisions.some((one) => one.approvedBy)
            ? [{ title: 'APPROVED BY', value: (one: Revision) => one.approvedBy }]
            : []),
          { title: 'WHAT', value: (one) => one.kind },
          { title: 'PATH', value: (one) => one.path || '/' },
          { title: 'FROM', value: (one) => one.source },
          { title: 'STATE', value: (one) => (one.droppedAt ? 'given up' : 'kept') },
        ]),
      ].join('\n'),
    )
  })
}

export async function tag(
  name: string,
  tagName: string,
  options: SharedOptions & { revision?: string; description?: string; delete?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const revision = options.revision === undefined ? undefined : whole('--revision', options.revision)
    const found = options.delete
      ? await client.json<Tagged>('DELETE', at(name, 'tags', tagName))
      : await client.json<Tagged>('POST', at(name, 'tags'), {
          json: { name: tagName, revision, description: options.description },
        })
    const now = found.tags.find((one) => one.name === tagName)
    const { tags, proposal } = found
    show(options, proposal ? { tags, proposal } : tags, () =>
      proposal
        ? waits(proposal, options.delete ? `That ${tagName} goes` : `That ${tagName} is given`)
        : now
          ? `${tagName} is revision ${now.revision} of ${name}.`
          : `${tagName} is gone.`,
    )
  })
}

export async function rollback(name: string, to: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const json = /^#\d+$/.test(to) ? { revision: Number(to.slice(1)) } : { tag: to }
    const made = await client.json<{ revision: number; proposal: Proposed }>('POST', at(name, 'rollback'), {
      json,
    })
    show(options, made, () =>
      made.proposal
        ? waits(made.proposal, `The tree of ${to}`)
        : `Revision ${made.revision} of ${name} is the tree of ${to} again.`,
    )
  })
}

export async function collect(
  name: string,
  options: SharedOptions & { keep: string; dryRun?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const json = { keep: whole('--keep', options.keep), dryRun: options.dryRun === true }
    const plan = await client.json<{ revisions: number[]; kept: number[]; objects: number; bytes: number }>(
      'POST',
      at(name, 'gc'),
      { json },
    )
    const would = options.dryRun ? 'would be' : 'are'
    show(
      options,
      plan,
      () =>
        `${plan.revisions.length} revisions and ${plan.objects} objects (${bytesText(plan.bytes)}) ${would} given up; ${plan.kept.length} revisions stay.`,
    )
  })
}

export async function rotateKey(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const found = await client.json<Repository>('POST', at(name, 'keys'))
    show(options, found, () => `${name} is signed by a new key; the one before stays listed for a week.`)
  })
}

export async function whitelist(name: string, options: SharedOptions & { signed?: string }): Promise<void> {
  await withClient(options, async (client) => {
    if (options.signed === undefined) {
      const { text } = await client.json<{ text: string }>('GET', at(name, 'whitelist'))
      show(options, { text }, () => text.trimEnd())
      return
    }
    const signed = readFileSync(options.signed).toString('base64')
    const { expiresAt } = await client.json<{ expiresAt: string }>('PUT', at(name, 'whitelist'), {
      json: { signed },
    })
    show(options, { expiresAt }, () => `${name} has this whitelist until ${expiresAt}.`)
  })
}

export async function cancel(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<{ cancelled: boolean }>(
      'DELETE',
      `${base}/publications/${encodeURIComponent(id)}`,
    )
    show(options, answer, () => (answer.cancelled ? 'The publication is given up.' : 'It was over already.'))
  })
}

/** `kumi software client-config REPO`: what a site puts into /etc/cvmfs for the client of CVMFS. */
export async function clientConfig(
  name: string,
  options: SharedOptions & { output?: string; proxy: string; site?: readonly string[] },
): Promise<void> {
  await withClient(options, async (client) => {
    const { masterPublicPem } = await describe(client, name)
    const servers = [...(await gatewaysOf(client, options.site ?? [])), client.place.server]
    // The client of CVMFS reads one key of a file.
    const keys = (masterPublicPem.match(/-----BEGIN[\s\S]*?-----END[^\n]*\n?/g) ?? []).map((pem, i) => ({
      file: `/etc/cvmfs/keys/kumihimo/${name}${i === 0 ? '' : `-${i + 1}`}.pub`,
      pem,
    }))
    const config = [
      `CVMFS_SERVER_URL="${servers.map((server) => `${server}/cvmfs/@fqrn@`).join(';')}"`,
      `CVMFS_PUBLIC_KEY="${keys.map(({ file }) => file).join(':')}"`,
      `CVMFS_HTTP_PROXY="${options.proxy}"`,
      'CVMFS_USE_GEOAPI=no',
      '',
    ].join('\n')
    const file = `/etc/cvmfs/config.d/${name}.conf`
    const files = { [file]: config, ...Object.fromEntries(keys.map((key) => [key.file, key.pem])) }
    if (options.output !== undefined)
      for (const [path, content] of Object.entries(files)) {
        const target = join(options.output, path)
        mkdirSync(join(target, '..'), { recursive: true })
        writeFileSync(target, content)
      }
    const named = Object.keys(files)
    show(options, { repository: name, files }, () =>
      options.output === undefined
        ? Object.entries(files)
            .map(([path, content]) => `# ${path}\n${content}`)
            .join('\n')
        : `Written below ${options.output}: ${named.join(' and ')}. Then: cvmfs_config probe ${name}`,
    )
  })
}

/** Addresses of the gateways of sites. */
async function gatewaysOf(client: GridClient, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return []
  const { sites } = await client.json<{ sites: { name: string; endpoint: string | null }[] }>(
    'GET',
    '/kumi/v1/sites',
  )
  return names.map((name) => {
    const endpoint = sites.find((site) => site.name === name)?.endpoint
    if (endpoint) return endpoint.replace(/\/+$/, '')
    throw badOption(`--site ${name}: there is no site of that name with a gateway.`)
  })
}

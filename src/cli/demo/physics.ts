import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensure, orMissing } from '../client/failure.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { didText, parseDid } from '../client/names.ts'
import { collect, listReplicas } from '../client/rucio.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { generatedProduction } from './definitions.ts'
import { commandLine, runCommand } from './own-command.ts'
import { REPOSITORY, writeRelease } from './release.ts'

interface PhysicsOptions extends SharedOptions {
  readonly events: string
  readonly prepare?: boolean
}

/** Does what anybody could type, and shows it: the files stay behind, to be changed and run again. */
export async function physics(directory: string, options: PhysicsOptions): Promise<void> {
  const events = /^\d{1,7}$/.test(options.events) ? Number(options.events) : 0
  if (events < 2) throw badOption(`--events needs a number from 2 to 9999999, not "${options.events}".`)
  const { account, name, published, release } = await withClient(options, look)
  const definition = join(directory, 'physics.yaml')
  await mkdir(directory, { recursive: true })
  await writeRelease(join(directory, 'release'))
  await writeFile(definition, generatedProduction({ name, scope: `user.${account}`, release, events }))
  const before = [
    ...(published ? [] : [['software', 'create', REPOSITORY, '--title', 'A small experiment']]),
    [
      ...['software', 'publish', join(directory, 'release'), '--repo', REPOSITORY],
      ...['--to', `/${release}`, '--tag', release],
    ],
    ['prod', 'define', definition],
    ['prod', 'validate', name],
    ['prod', 'start', name],
    ['prod', 'show', name, '--wait'],
  ]
  if (options.prepare) {
    const commands = before.map(commandLine)
    return show(options, { directory, definition, commands }, () =>
      [`The files are in ${directory}. Then:`, ...commands].join('\n'),
    )
  }
  const run = async (words: readonly string[]): Promise<void> => {
    if (!options.quiet) process.stderr.write(`\n$ ${commandLine(words)}\n`)
    await runCommand(words, options)
  }
  for (const words of before) await run(words)
  const dataset = `user.${account}:${name}.plot`
  const plot = await withClient(options, async (client) => {
    const [file] = await collect(listReplicas(client, [parseDid(dataset)]))
    return didText(file!)
  })
  await run(['data', 'get', plot, '--dir', directory])
  const picture = join(directory, plot.slice(plot.indexOf(':') + 1))
  show(options, { production: name, plot, picture, dataset }, () =>
    [
      `The plot is ${picture}; look at it with a browser.`,
      `Where it comes from: kumi lineage ${plot} --depth 10`,
    ].join('\n'),
  )
}

interface Before {
  readonly account: string
  /** The first names that are free. */
  readonly name: string
  readonly release: string
  /** Whether there is a repository already. */
  readonly published: boolean
}

/** What is there already; makes the scope of whoever asks. */
async function look(client: GridClient): Promise<Before> {
  const { account } = await client.json<{ account: string }>('GET', '/rucio/accounts/whoami')
  await ensure(client.json('POST', `/rucio/accounts/${account}/scopes/user.${account}`))
  const { productions } = await client.json<{ productions: { name: string }[] }>(
    'GET',
    '/kumi/v1/productions',
    { query: { limit: '1000' } },
  )
  const repository = await orMissing(
    client.json<{ tags: { name: string }[] }>('GET', `/kumi/v1/software/repositories/${REPOSITORY}`),
  )
  const tags = new Set(repository?.tags.map((tag) => tag.name))
  const taken = new Set(productions.map((production) => production.name))
  const first = (names: (n: number) => string, used: ReadonlySet<string>): string => {
    for (let n = 1; ; n++) if (!used.has(names(n))) return names(n)
  }
  return {
    ...{ account, published: repository !== undefined },
    name: first((n) => (n === 1 ? 'Physics' : `Physics${n}`), taken),
    release: first((n) => `v${n}`, tags),
  }
}

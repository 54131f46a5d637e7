import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineError, isGridError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { didText, parseDid } from '../client/names.ts'
import { collect, listReplicas } from '../client/rucio.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { definitionOf, REPOSITORY, writeRelease } from './release.ts'

const badOption = defineError('invalid', 'bad_option')
const commandFailed = defineError('fatal', 'demo_failed')

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
  await writeFile(definition, definitionOf({ name, scope: `user.${account}`, release, events }))
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
    const commands = before.map(line)
    return show(options, { directory, definition, commands }, () =>
      [`The files are in ${directory}. Then:`, ...commands].join('\n'),
    )
  }
  for (const words of before) await run(words, options)
  const dataset = `user.${account}:${name}.plot`
  const plot = await withClient(options, async (client) => {
    const [file] = await collect(listReplicas(client, [parseDid(dataset)]))
    return didText(file!)
  })
  await run(['data', 'get', plot, '--dir', directory], options)
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
  await client.json('POST', `/rucio/accounts/${account}/scopes/user.${account}`).catch((error) => {
    if (!(isGridError(error) && error.kind === 'conflict')) throw error
  })
  const { productions } = await client.json<{ productions: { name: string }[] }>(
    'GET',
    '/kumi/v1/productions',
    { query: { limit: '1000' } },
  )
  const repository = await client
    .json<{ tags: { name: string }[] }>('GET', `/kumi/v1/software/repositories/${REPOSITORY}`)
    .catch((error) => {
      if (isGridError(error) && error.kind === 'missing') return undefined
      throw error
    })
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

const line = (words: readonly string[]): string =>
  [
    'kumi',
    ...words.map((word) => (/^[\w./@:=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)),
  ].join(' ')

/** Runs a command as a person would, and shows it. Throws demo_failed. */
async function run(words: readonly string[], options: PhysicsOptions): Promise<void> {
  const quiet = options.quiet === true
  if (!quiet) process.stderr.write(`\n$ ${line(words)}\n`)
  const place = [
    ...(options.home ? ['--home', options.home] : []),
    ...(options.server ? ['--server', options.server] : []),
    ...(quiet ? ['--quiet'] : []),
  ]
  const program = process.argv[1]!
  const out = quiet ? 'ignore' : options.json ? 2 : 'inherit'
  const child = spawn(process.execPath, [...process.execArgv, program, ...words, ...place], {
    stdio: ['ignore', out, 'inherit'],
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  if (code !== 0) throw commandFailed(`${line(words)} ended with ${code ?? 'a signal'}.`)
}

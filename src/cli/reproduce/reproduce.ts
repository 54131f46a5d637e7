import { spawn } from 'node:child_process'
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { defineError } from '../../kernel/errors.ts'
import { isolated, probeIsolation } from '../../pilot/isolation.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { type Did, didPath, didText, parseDid } from '../client/names.ts'
import { collect, listReplicas } from '../client/rucio.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { getFiles } from '../data/get.ts'
import { digestFile } from '../data/local-files.ts'
import { showProgress } from '../progress.ts'
import { treeFor } from '../software/get.ts'
import { treeSums } from './compare.ts'
import { type FileFacts, type Recipe, recipeText } from './recipe.ts'

const notReproduced = defineError('conflict', 'not_reproduced')
const cannot = defineError('invalid', 'cannot_reproduce')

interface ReproduceOptions extends SharedOptions {
  readonly print?: boolean
  readonly dir: string
}

/** As deep as a chain of intermediates may be. */
const DEEPEST = 20
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const INPUT_LIST = 'kumi-inputs.txt'

export async function reproduce(text: string, options: ReproduceOptions): Promise<void> {
  await withClient(options, async (client) => {
    const recipe = await recipeOf(client, parseDid(text))
    if (options.print) return show(options, recipe, () => recipeText(recipe))
    if (!options.json && !options.quiet) process.stderr.write(`${recipeText(recipe)}\n`)
    const made = await make(client, recipe, resolve(options.dir), options, 0)
    const same = await compare(client, recipe.file, made, resolve(options.dir), options)
    const { bytes, adler32, md5 } = made
    show(options, { file: recipe.file, made: { path: made.path, bytes, adler32, md5 }, same }, () =>
      same === 'bytes'
        ? `${made.path} is ${didText(recipe.file)}, byte for byte: ${bytes} bytes, adler32 ${adler32}, md5 ${md5}.`
        : `${made.path} holds what ${didText(recipe.file)} holds; the bytes differ in what programs write of time and place.`,
    )
  })
}

const recipeOf = (client: GridClient, did: Did): Promise<Recipe> =>
  client.json<Recipe>('GET', `/kumi/v1/files/${didPath(did)}/recipe`)

interface Made {
  readonly path: string
  readonly bytes: number
  readonly adler32: string
  readonly md5: string
}

/** Runs a recipe in a fresh directory, as a pilot would. Inputs that were given up are made again first. */
async function make(
  client: GridClient,
  recipe: Recipe,
  directory: string,
  options: SharedOptions,
  depth: number,
): Promise<Made> {
  if (depth > DEEPEST) throw cannot('More generations were given up than can be made again.')
  if (recipe.sandboxes > 0)
    throw cannot('Its job took archives along (sandboxes), which are kept for its owner only.')
  if (recipe.outputs.length !== 1 || /[*?]/.test(recipe.outputs[0]!))
    throw cannot(`Its job wrote ${recipe.outputs.join(', ')}; which of it the file was is not known.`)
  const work = join(directory, 'work')
  await mkdir(directory)
  await mkdir(work, { mode: 0o755 })
  const names = await inputsInto(client, recipe, directory, work, options, depth)
  if (names.length > 0) await writeFile(join(work, INPUT_LIST), names.map((name) => `${name}\n`).join(''))
  for (const { name, executable, content } of recipe.files) {
    await mkdir(dirname(join(work, name)), { recursive: true })
    await writeFile(join(work, name), Buffer.from(content, 'base64'))
    if (executable || name === recipe.executable) await chmod(join(work, name), 0o755)
  }
  await run(client, recipe, work, options)
  const path = join(work, recipe.outputs[0]!)
  const digests = await digestFile(path).catch(() => {
    throw notReproduced(`The program did not write ${path}.`)
  })
  return { path, ...digests }
}

async function inputsInto(
  client: GridClient,
  { inputs }: Recipe,
  directory: string,
  work: string,
  options: SharedOptions,
  depth: number,
): Promise<string[]> {
  const names = inputs.map(({ name }) => name.split('/').at(-1)!)
  if (new Set(names).size < names.length) throw cannot('Two of its inputs have the same name.')
  const kept = inputs.filter((input) => input.kept)
  if (kept.length > 0) {
    const files = await collect(listReplicas(client, kept))
    const plan = { files: kept.length, bytes: kept.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) }
    const progress = showProgress('inputs', plan, { quiet: options.quiet === true || options.json === true })
    const { failed } = await getFiles(client, files, work, progress).finally(() => progress.done())
    if (failed[0]) throw notReproduced(`${failed[0].name} cannot be had: ${failed[0].message}`)
  }
  for (const [i, input] of inputs.entries()) {
    if (input.kept) continue
    const made = await make(
      client,
      await recipeOf(client, input),
      join(directory, `input-${i}`),
      options,
      depth + 1,
    )
    if (input.adler32 !== null && made.adler32 !== input.adler32 && !options.quiet)
      process.stderr.write(
        `${didText(input)} was made again with other bytes; what is made of it may differ.\n`,
      )
    await copyFile(made.path, join(work, names[i]!))
  }
  return names
}

async function run(client: GridClient, recipe: Recipe, work: string, options: SharedOptions): Promise<void> {
  const { software } = recipe
  const tree = software && (await treeFor(client, `${software.repository}@${software.root}`, options))
  const mounted = software && tree ? { repository: software.repository, tree } : undefined
  const { isolation, deathSignal } = await probeIsolation()
  const top = software ? `/cvmfs/${software.repository}` : ''
  const placed = (path: string) =>
    mounted && isolation !== 'bubblewrap' && (path === top || path.startsWith(`${top}/`))
      ? mounted.tree + path.slice(top.length)
      : path
  const own = recipe.files.some(({ name }) => name === recipe.executable)
  const program = own ? `./${recipe.executable}` : placed(recipe.executable)
  const { command, inside, node } = isolated(
    isolation,
    work,
    [program, ...recipe.arguments],
    deathSignal,
    mounted,
  )
  const child = spawn(command[0]!, command.slice(1), {
    cwd: work,
    stdio: ['ignore', options.json ? 2 : 'inherit', 'inherit'],
    env: {
      ...{ PATH, HOME: inside, TMPDIR: '/tmp', LANG: 'C.UTF-8' },
      ...recipe.environment,
      ...{ JOBID: String(recipe.job), KUMI_JOB_ID: String(recipe.job), KUMI_ATTEMPT: String(recipe.attempt) },
      ...{
        KUMI_JOB_NUMBER: String(recipe.number),
        KUMI_CORES: '1',
        KUMI_INPUT_LIST: INPUT_LIST,
        KUMI_NODE: node,
      },
      ...(software && { KUMI_SOFTWARE: placed(top), KUMI_SOFTWARE_ROOT_HASH: software.root }),
    },
  })
  const code = await new Promise<number>((done, failed) => {
    child.on('error', failed)
    child.on('exit', (exit, signal) => done(signal ? 128 : (exit ?? 1)))
  })
  if (code !== 0) throw notReproduced(`${recipe.executable} ended with ${code} in ${work}.`)
}

/** Equal bytes, or for ROOT files equal trees. Throws not_reproduced. */
async function compare(
  client: GridClient,
  file: FileFacts,
  made: Made,
  directory: string,
  options: SharedOptions,
): Promise<'bytes' | 'content'> {
  if (made.bytes === file.bytes && made.adler32 === file.adler32 && (!file.md5 || made.md5 === file.md5))
    return 'bytes'
  const difference = `${made.path} has ${made.bytes} bytes and adler32 ${made.adler32}, ${didText(file)} has ${file.bytes} and ${file.adler32}.`
  if (!file.name.endsWith('.root') || !file.kept) throw notReproduced(difference)
  const files = await collect(listReplicas(client, [file]))
  const original = join(directory, 'original')
  const progress = showProgress('original', { files: 1, bytes: file.bytes ?? 0 }, { quiet: true })
  const { failed } = await getFiles(client, files, original, progress).finally(() => progress.done())
  if (failed[0]) throw notReproduced(`${difference} The original cannot be had: ${failed[0].message}`)
  const [ours, theirs] = [await treeSums(made.path), await treeSums(join(original, file.name))]
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)]))
    if (ours[name] !== theirs[name])
      throw notReproduced(
        `${difference} The tree ${name} has ${ours[name] ?? 'nothing'} here and ${theirs[name] ?? 'nothing'} there.`,
      )
  if (!options.quiet) process.stderr.write(`${difference}\n`)
  return 'content'
}

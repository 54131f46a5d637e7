import { execFile } from 'node:child_process'
import { appendFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { logNormalSizes } from '../src/cli/run-data/generate-run.ts'
import { seededRng } from '../src/kernel/index.ts'
import { type BenchGrid, withGrid } from './grid.ts'
import { forgetMostMemory, measure, mostMemory } from './measure.ts'

const run = promisify(execFile)
const REPOSITORY = 'bench.example.org'
/** 20,000 such files make the tree whose figures for the programs of CVMFS are known: 127 MB of text in 200 directories. */
const MEAN_BYTES = 6350
const FILES_A_DIRECTORY = 100

/** What the programs of CVMFS 2.12 took for that tree on a machine of this kind, in seconds. */
const CVMFS = {
  'first publish': 5.05,
  'get cold': 37.5,
  'get warm': 6.8,
  'stratum 1 pull': 12.5,
} as const

/** Publishes a tree, again, with one file changed, and fetches it; by the command line, as people do. */
export async function softwareBenchmark(options: {
  files: number
  /** Entries of a repository of empty files, published once for the memory that takes; 0 leaves it out. */
  entries: number
  say: (text: string) => void
}): Promise<Record<string, unknown>> {
  const { files, entries, say } = options
  const root = mkdtempSync(join(tmpdir(), 'kumi-bench-software-'))
  try {
    return await withGrid(async (bench) => {
      const kumi = commandLine(bench, join(root, 'cache'))
      await kumi('create', REPOSITORY, '--title', 'benchmark')
      say('writing the files')
      const tree = join(root, 'tree')
      const bytes = writeTree(tree, logNormalSizes(files, files * MEAN_BYTES, seededRng(127), 100, 1 << 20))
      const steps: Record<string, Figures> = {}
      const timed = async (name: string, ...words: string[]): Promise<void> => {
        say(name)
        const { wallSeconds, cpuSeconds } = await measure([process.pid], () => kumi(...words))
        steps[name] = { wall_s: round(wallSeconds), cpu_s: round(cpuSeconds) }
      }
      const publish = ['publish', tree, '--repo', REPOSITORY, '--to', '/releases/08']
      await timed('first publish', ...publish)
      await timed('unchanged', ...publish)
      appendFileSync(join(tree, 'd000', 'f00000'), 'changed\n')
      await timed('one file changed', ...publish)
      await timed('get cold', 'get', REPOSITORY, join(root, 'got'))
      await timed('get warm', 'get', REPOSITORY, join(root, 'again'))
      await timed('get, there already', 'get', REPOSITORY, join(root, 'again'))
      return {
        ...{ files, bytes, steps, 'cvmfs 2.12, seconds': CVMFS },
        files_per_s: round(files / steps['get cold']!.wall_s),
        ...(entries > 0 && { many: await manyEntries(bench, kumi, { root, entries, say }) }),
      }
    })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

interface Figures {
  readonly wall_s: number
  readonly cpu_s: number
}

/** One command; its process is there while it runs. */
type Kumi = (...words: string[]) => ReturnType<typeof run>

function commandLine({ home }: BenchGrid, cache: string): Kumi {
  const program = join(import.meta.dirname, '..', 'src', 'cli', 'main.js')
  const env = { ...process.env, KUMI_HOME: home.path, XDG_CACHE_HOME: cache }
  return (...words) =>
    run(process.execPath, [program, 'software', ...words], { env, encoding: 'utf8', maxBuffer: 1 << 26 })
}

/** A repository of very many entries, and the most memory that publisher and server took for it. */
async function manyEntries(
  bench: BenchGrid,
  kumi: Kumi,
  { root, entries, say }: { root: string; entries: number; say: (text: string) => void },
): Promise<Record<string, unknown>> {
  say(`writing ${entries} entries`)
  const tree = join(root, 'many')
  linkTree(tree, entries)
  const name = 'many.example.org'
  await kumi('create', name)
  const steps: Record<string, unknown> = {}
  const publish = async (what: string): Promise<void> => {
    say(`${what}, ${entries} entries`)
    const server = bench.pid('server')
    forgetMostMemory(server)
    let client = 0
    const { wallSeconds, cpuSeconds } = await measure([process.pid], async () => {
      const done = kumi('publish', tree, '--repo', name)
      const { pid } = done.child
      const timer = setInterval(() => {
        client = Math.max(client, mostMemory(pid!))
      }, 50)
      await done.finally(() => clearInterval(timer))
    })
    steps[what] = {
      ...{ wall_s: round(wallSeconds), cpu_s: round(cpuSeconds) },
      ...{ client_mb: Math.round(client / 1e6), server_mb: Math.round(mostMemory(server) / 1e6) },
    }
  }
  await publish('first publish')
  await publish('unchanged')
  return { entries, ...steps }
}

/** Very many names of few small files: each directory has others of its own, none twice. */
function linkTree(directory: string, entries: number): void {
  const files = Array.from({ length: FILES_A_DIRECTORY }, (_, i) => join(directory, `f${number(i, 5)}`))
  mkdirSync(directory, { recursive: true })
  for (const [i, file] of files.entries()) writeFileSync(file, `content ${i}\n`)
  for (let made = files.length, i = 0; made < entries; i++) {
    const inside = join(directory, `s${number(Math.floor(i / 100), 3)}`, `d${number(i, 5)}`)
    mkdirSync(inside, { recursive: true })
    for (const file of files.slice(0, entries - made)) linkSync(file, join(inside, basename(file)))
    made += files.length
  }
}

/** Files of words, which compress as programs and tables do; returns their bytes. */
function writeTree(directory: string, sizes: readonly number[]): number {
  const rng = seededRng(8)
  const words = Array.from({ length: 4000 }, () => Math.floor(rng.next() * 2 ** 40).toString(36))
  const text = Buffer.from(
    Array.from({ length: 1 << 18 }, () => words[Math.floor(rng.next() * words.length)]).join(' '),
  )
  let bytes = 0
  for (const [i, size] of sizes.entries()) {
    const inside = join(directory, `d${number(Math.floor(i / FILES_A_DIRECTORY), 3)}`)
    if (i % FILES_A_DIRECTORY === 0) mkdirSync(inside, { recursive: true })
    const at = Math.floor(rng.next() * (text.length - size))
    writeFileSync(join(inside, `f${number(i, 5)}`), text.subarray(at, at + size))
    bytes += size
  }
  return bytes
}

const number = (value: number, digits: number): string => String(value).padStart(digits, '0')
const round = (value: number): number => Math.round(value * 100) / 100

import { execFile, execFileSync } from 'node:child_process'
import { appendFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { logNormalSizes } from '../src/cli/run-data/generate-run.ts'
import { seededRng } from '../src/kernel/index.ts'
import { type CvmfsPeer, type Original, startCvmfsPeer } from './cvmfs-peer.ts'
import { type BenchGrid, withGrid } from './grid.ts'
import { forgetMostMemory, type Measured, measure, measurePrograms, mostMemory } from './measure.ts'

const run = promisify(execFile)
const REPOSITORY = 'bench.example.org'
const OTHER = 'other.example.org'
/** 20,000 such files make the tree whose figures for the programs of CVMFS are known: 127 MB of text in 200 directories. */
const MEAN_BYTES = 6350
const FILES_A_DIRECTORY = 100

/** Where the tree is published, and a file of it that changes. */
const AT = 'releases/08'
const CHANGING = join('d000', 'f00000')

/** Told when the programs of CVMFS are not here: what 2.12 took for such a tree on another machine once, in seconds. */
const CVMFS_ELSEWHERE = {
  'first publish': 5.05,
  'get cold': 37.5,
  'get warm': 6.8,
  'stratum 1 pull': 12.5,
} as const

interface SoftwareBenchmark {
  readonly files: number
  /** Entries of a repository of empty files, published once for the memory that takes; 0 leaves it out. */
  readonly entries: number
  readonly say: (text: string) => void
}

/**
 * Publishes a tree, again, with one file changed, and fetches it; by the command line, as people do. Beside each step
 * the programs of CVMFS do the same with the same tree, where they are installed.
 */
export async function softwareBenchmark(options: SoftwareBenchmark): Promise<Record<string, unknown>> {
  const { files, entries, say } = options
  const root = mkdtempSync(join(tmpdir(), 'kumi-bench-software-'))
  let peer: CvmfsPeer | undefined
  try {
    const cvmfs = await startCvmfsPeer(join(root, 'cvmfs'))
    peer = cvmfs.peer
    if (cvmfs.skipped) say(`skipped ${cvmfs.skipped}`)
    return await withGrid(async (bench) => {
      const kumi = commandLine(bench, join(root, 'cache'))
      await kumi('create', REPOSITORY, '--title', 'benchmark')
      say('writing the files')
      const sizes = logNormalSizes(files, files * MEAN_BYTES, seededRng(127), 100, 1 << 20)
      const bytes = writeTree(join(root, 'published', AT), sizes, 8)
      writeTree(join(root, 'other'), sizes, 9)
      const steps = await inTurn({ bench, kumi, peer, root, files, say })
      return {
        ...{ files, bytes, steps },
        ...(peer && { cvmfs: peer.version }),
        ...(!peer && { skipped: cvmfs.skipped, 'cvmfs 2.12 on another machine, seconds': CVMFS_ELSEWHERE }),
        files_per_s: round(files / steps['get cold']!.wall_s),
        ...(entries > 0 && { many: await manyEntries(bench, kumi, { root, entries, say }) }),
      }
    })
  } finally {
    peer?.stop()
    rmSync(root, { recursive: true, force: true })
  }
}

/** Each step by us, then by the programs of CVMFS. */
async function inTurn(the: {
  bench: BenchGrid
  kumi: Kumi
  peer: CvmfsPeer | undefined
  root: string
  files: number
  say: SoftwareBenchmark['say']
}): Promise<Record<string, Step>> {
  const { kumi, peer, root } = the
  const published = join(root, 'published')
  const tree = join(published, AT)
  const steps: Record<string, Step> = {}
  const timed = async (step: string, ...words: string[]): Promise<void> => {
    calm(the.say, step)
    steps[step] = figures(await measure([process.pid], () => kumi(...words)))
  }
  const beside = async (
    step: string,
    what: string,
    work: () => Promise<Measured<unknown>>,
  ): Promise<void> => {
    calm(the.say, `${step}, CVMFS: ${what}`)
    const theirs = figures(await work())
    const { cvmfs, ...ours } = steps[step]!
    const ratio = { wall: round(ours.wall_s / theirs.wall_s), cpu: round(ours.cpu_s / theirs.cpu_s) }
    steps[step] = { ...ours, cvmfs: { ...cvmfs, [what]: { ...theirs, 'ours / theirs': ratio } } }
  }
  const tar = join(root, 'ingest.tar')
  const makeTar = (what: string) => run('tar', ['-C', tree, '-cf', tar, what])
  const publish = ['publish', tree, '--repo', REPOSITORY, '--to', `/${AT}`]

  await timed('first publish', ...publish)
  if (peer) {
    steps['tar for CVMFS'] = figures(await measurePrograms(() => makeTar('.')))
    await beside('first publish', 'ingest of the tar', () => measurePrograms(() => peer.ingest(tar, AT)))
  }
  await timed('unchanged', ...publish)
  if (peer) {
    const again = () => peer.ingest(tar, AT, published)
    await beside('unchanged', 'ingest of the tar again', () => measurePrograms(again))
  }
  appendFileSync(join(tree, CHANGING), 'changed\n')
  await timed('one file changed', ...publish)
  if (peer) {
    await makeTar('.')
    const again = () => peer.ingest(tar, AT, published)
    await beside('one file changed', 'ingest of the whole tar', () => measurePrograms(again))
    // Changed once more, or it would have the object already.
    appendFileSync(join(tree, CHANGING), 'again\n')
    await makeTar(CHANGING)
    await beside('one file changed', 'ingest of a tar of that file', () => measurePrograms(again))
    await peer.check(the.files)
  }
  await timed('get cold', 'get', REPOSITORY, join(root, 'got'))
  if (peer) {
    const from = await whereToPull(the.bench, kumi, join(root, 'config'))
    // Our server works for it, too.
    const copy = () => measure([process.pid], () => peer.pull(from))
    await beside('get cold', 'pull with 8 workers, objects stay packed', copy)
    await peer.check(the.files, from)
  }
  await timed('get warm', 'get', REPOSITORY, join(root, 'again'))
  await timed('get, there already', 'get', REPOSITORY, join(root, 'again'))
  // As much again that is new, when the server's code is compiled: it has been running for a minute and not for a second.
  await kumi('create', OTHER)
  await timed('first publish of another tree', 'publish', join(root, 'other'), '--repo', OTHER)
  return steps
}

/** What others have left to be written is not the next one's to wait for. */
function calm(say: SoftwareBenchmark['say'], step: string): void {
  say(step)
  execFileSync('sync')
}

/** Our repository, as sites configure it. */
async function whereToPull({ facts }: BenchGrid, kumi: Kumi, directory: string): Promise<Original> {
  await kumi('client-config', REPOSITORY, '--output', directory)
  const publicKey = join(directory, 'etc/cvmfs/keys/kumihimo', `${REPOSITORY}.pub`)
  return { url: `http://localhost:${facts.port}/cvmfs/${REPOSITORY}`, name: REPOSITORY, publicKey }
}

interface Figures {
  readonly wall_s: number
  readonly cpu_s: number
}

interface Step extends Figures {
  readonly cvmfs?: Readonly<Record<string, Beside>>
}

interface Beside extends Figures {
  readonly 'ours / theirs': { readonly wall: number; readonly cpu: number }
}

const figures = ({ wallSeconds, cpuSeconds }: Measured<unknown>): Figures => ({
  wall_s: round(wallSeconds),
  cpu_s: round(cpuSeconds),
})

/** One command; its process is there while it runs. */
type Kumi = (...words: string[]) => ReturnType<typeof run>

function commandLine({ home }: BenchGrid, cache: string): Kumi {
  const program = join(import.meta.dirname, '..', '..', 'kumi')
  // Node reads these at every start: a tenth of a second for the authorities of a whole system, which nothing here asks for.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', KUMI_HOME: home.path, XDG_CACHE_HOME: cache }
  return (...words) => run(program, ['software', ...words], { env, encoding: 'utf8', maxBuffer: 1 << 26 })
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
function writeTree(directory: string, sizes: readonly number[], seed: number): number {
  const rng = seededRng(seed)
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

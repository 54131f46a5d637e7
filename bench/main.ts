import { parseArgs } from 'node:util'

interface Benchmark {
  readonly name: string
  readonly about: string
  /** Reads the module only when it is wanted. */
  run(size: Readonly<Record<string, number | undefined>>): Promise<unknown>
}

const benchmarks: readonly Benchmark[] = [
  {
    name: 'catalogue',
    about: 'registration, listing and rules through the Rucio door, --files N of two replicas each (100000)',
    run: async ({ files = 100_000 }) => (await import('./catalogue.ts')).catalogueBenchmark(files),
  },
  {
    name: 'tokens',
    about:
      'tokens by client credentials and by refresh through the door, --seconds N each (20); verification',
    run: async ({ seconds = 20 }) => (await import('./tokens.ts')).tokensBenchmark(seconds),
  },
  {
    name: 'transfers',
    about:
      'gateway to gateway by a rule: one file of --gigabytes N (1), --files N of the 6756 of 292 B to 27 MB; peers beside it',
    run: async ({ files = 6756, gigabytes = 1 }) =>
      (await import('./transfers.ts')).transferBenchmark({
        ...{ files, gigabytes },
        say: (text) => console.error(text),
      }),
  },
  {
    name: 'software',
    about:
      'publish and fetch a release of --files N (20000) by the command line; memory for a repository of --entries N (0); programs of CVMFS beside it',
    run: async ({ files = 20_000, entries = 0 }) =>
      (await import('./software.ts')).softwareBenchmark({
        ...{ files, entries },
        say: (text) => console.error(text),
      }),
  },
  {
    name: 'jobs',
    about:
      'submission of --jobs N (1000000) to --queues N (2000), matches of 64 pilots for --seconds N (20) one by one and in batches, explain',
    run: async ({ jobs = 1_000_000, queues = 2000, seconds = 20 }) =>
      (await import('./jobs.ts')).jobBenchmark({
        ...{ jobs, queues, seconds },
        say: (text) => console.error(text),
      }),
  },
  {
    name: 'detector',
    about:
      'replay of 112 incidents on a synthetic grid, of a known seed and of --seeds N (3) others; rules of the field beside it',
    run: async ({ seeds = 3 }) =>
      (await import('./detector.ts')).detectorBenchmark({ seeds, say: (text) => console.error(text) }),
  },
  {
    name: 'productions',
    about:
      'one production of --jobs N (4700000): tasks become jobs as they are needed; the screen of jobs afterwards',
    run: async ({ jobs = 4_700_000 }) =>
      (await import('./productions.ts')).productionBenchmark({ jobs, say: (text) => console.error(text) }),
  },
  {
    name: 'policy',
    about: 'one authorisation decision among --rules N (10000)',
    run: async ({ rules = 10_000 }) => (await import('./policy.ts')).policyBenchmark(rules),
  },
  {
    name: 'voms',
    about: 'attribute certificates with their TLS handshakes, for --seconds N (20)',
    run: async ({ seconds = 20 }) => (await import('./voms.ts')).vomsBenchmark(seconds),
  },
]

const help = `npm run bench -- <benchmark> [--files N] [--entries N] [--gigabytes N] [--jobs N] [--queues N] [--rules N] [--seconds N] [--seeds N]

${benchmarks.map(({ name, about }) => `  ${name.padEnd(11)} ${about}`).join('\n')}

Prints one JSON object. Close other programs first; figures are wall and CPU time of this machine.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string' },
    entries: { type: 'string' },
    gigabytes: { type: 'string' },
    jobs: { type: 'string' },
    queues: { type: 'string' },
    rules: { type: 'string' },
    seconds: { type: 'string' },
    seeds: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const wanted = benchmarks.find(({ name }) => name === positionals[0])
if (values.help || !wanted) {
  console.log(help)
  process.exit(values.help ? 0 : 2)
}
const sizes = Object.entries(values).map(([name, value]) => [name, Number(value)] as const)
const wrong = sizes.find(([, size]) => !(size > 0))
if (wrong) {
  console.error(`--${wrong[0]} needs a number above 0.`)
  process.exit(2)
}
console.log(JSON.stringify(await wanted.run(Object.fromEntries(sizes)), null, 2))
process.exit(0)

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { candidates, skim } from './candidates.ts'
import type { Payload } from './conditions.ts'
import { type Level, readEvents, writeEvents } from './events.ts'
import { generate } from './generate.ts'
import { plotMass } from './plot.ts'
import { reconstruct } from './reconstruct.ts'
import { simulate } from './simulate.ts'

// `physics STEP OUTPUT …`: one step of the demo experiment, as a job of a production runs it. Reads what
// $KUMI_INPUT_LIST names, writes one file, and tells its events in kumi-metadata.json.

const { KUMI_INPUT_LIST, KUMI_SEED, KUMI_CONDITIONS, KUMI_RELEASE } = process.env
const RELEASE = join(import.meta.dirname, '../../..')

const [step = '', output = '', ...words] = process.argv.slice(2)

async function inputs(): Promise<string[]> {
  const list = await readFile(KUMI_INPUT_LIST ?? 'kumi-inputs.txt', 'utf8')
  return list.split('\n').filter(Boolean)
}

async function eventsOf<K extends Level>(level: K) {
  const parts: Awaited<ReturnType<typeof readEvents<K>>>[] = []
  for (const file of await inputs()) parts.push(await readEvents(file, level))
  return parts.flat()
}

async function finish(content: Buffer | string, facts: Record<string, number | string>): Promise<void> {
  await writeFile(output, content)
  await writeFile('kumi-metadata.json', `${JSON.stringify(facts)}\n`)
  console.log(`${step}: ${JSON.stringify(facts)}`)
}

/** The constants of the tag that the production names, as they lie in the release. */
async function conditions(): Promise<Payload[]> {
  const file = join(RELEASE, 'conditions', `${KUMI_CONDITIONS}.json`)
  return JSON.parse(await readFile(file, 'utf8')) as Payload[]
}

const steps: Record<string, () => Promise<void>> = {
  async generate() {
    const [experiment, run, events, seed, firstEvent] = words.map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const made = generate({ experiment, run, events, seed, firstEvent })
    await finish(writeEvents('generated', made), { events: made.length, seed })
  },
  async simulate() {
    const made = simulate(await eventsOf('generated'), Number(KUMI_SEED))
    await finish(writeEvents('raw', made), { events: made.length })
  },
  async reconstruct() {
    const made = reconstruct(await eventsOf('raw'), await conditions())
    await finish(writeEvents('mdst', made), { events: made.length })
  },
  async skim() {
    const made = skim(await eventsOf('mdst'))
    await finish(writeEvents('mdst', made), { events: made.length })
  },
  async ntuple() {
    const made = candidates(await eventsOf('mdst'))
    await finish(writeEvents('ntuple', made), { events: made.length })
  },
  async plot() {
    const pairs = await eventsOf('ntuple')
    const runs = [...new Set(pairs.map(({ run }) => run))].sort((a, b) => a - b)
    const about = [
      `experiment ${pairs[0]?.experiment ?? '-'}, ${runs.length === 1 ? 'run' : 'runs'} ${runs.join(', ')}`,
      `release ${KUMI_RELEASE}`,
      `conditions ${KUMI_CONDITIONS}`,
    ]
    const { svg, entries, peak } = plotMass(pairs, about)
    await finish(svg, {
      events: entries,
      ...(peak && { mass: Number(peak.mean.toFixed(4)), width: Number(peak.width.toFixed(4)) }),
    })
  },
}

const chosen = steps[step]
if (!chosen || !output) {
  console.error(`physics ${Object.keys(steps).join('|')} OUTPUT [EXPERIMENT RUN EVENTS SEED FIRST-EVENT]`)
  process.exitCode = 2
} else await chosen()

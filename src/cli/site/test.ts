import { setTimeout as delay } from 'node:timers/promises'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, type SharedOptions } from '../common-options.ts'

const testFailed = defineError('fatal', 'site_test_failed')

export interface TestOptions extends SharedOptions {
  readonly minutes: string
}

interface Step {
  readonly step: string
  readonly ok: boolean
  readonly message: string
}

interface Command {
  readonly state: 'queued' | 'sent' | 'done' | 'failed'
  readonly result: { readonly steps?: Step[]; readonly message?: string } | null
}

interface JobShown {
  readonly job: { readonly status: string; readonly minor: string; readonly application: string }
  readonly attempts: readonly { readonly resource: string; readonly pilot: string | null }[]
  readonly made: readonly { readonly scope: string; readonly name: string; readonly bytes: number }[]
}

interface PilotLine {
  readonly resource: string
  readonly state: string
  readonly reason: string
  readonly reference: string | null
}

const PROBE = '#!/bin/sh\nuname -a >probe.txt\n'
const LOOK_MS = 1000
const OVER = ['Done', 'Failed', 'Killed', 'Deleted']

/** Goes the whole way to a site, step by step, and stops at the first that does not work. */
export async function testSite(name: string, options: TestOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { signal, end } = interruption()
    const steps: Step[] = []
    const tell = (step: Step): void => {
      steps.push(step)
      if (!options.json) process.stdout.write(`${step.ok ? 'ok  ' : 'FAIL'} ${step.step}: ${step.message}\n`)
    }
    try {
      for (const step of await throughGateway(client, name, signal)) tell(step)
      if (steps.every(({ ok }) => ok))
        await withJob(client, name, tell, Number(options.minutes) * 60_000, signal)
    } finally {
      end()
      if (options.json) process.stdout.write(`${JSON.stringify({ site: name, steps })}\n`)
    }
    const bad = steps.find(({ ok }) => !ok)
    if (bad) throw testFailed(`The site ${name} does not work: ${bad.step}.`)
  })
}

/** What the gateway says of the way to the batch system. */
async function throughGateway(
  client: GridClient,
  name: string,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const asked = `/kumi/v1/compute/${encodeURIComponent(name)}/test`
  const { command } = await client.json<{ command: string }>('POST', asked, { json: {} })
  for (;;) {
    const { state, result } = await client.json<Command>('GET', `/kumi/v1/commands/${command}`)
    if (state === 'done') return result?.steps ?? []
    if (state === 'failed') return [{ step: 'gateway', ok: false, message: result?.message ?? 'it refused' }]
    signal.throwIfAborted()
    await delay(LOOK_MS)
  }
}

/** A job that only this site may run, and a file it makes: proves pilot and storage. */
async function withJob(
  client: GridClient,
  name: string,
  tell: (step: Step) => void,
  mostMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { account } = await client.json<{ account: string }>('GET', '/kumi/v1/me')
  const dataset = `user.${account}:site-test.${name}.${Date.now()}`
  const { jobs } = await client.json<{ jobs: number[] }>('POST', '/kumi/v1/jobs', {
    json: {
      ...{ name: `test of ${name}`, executable: 'probe.sh', arguments: [] },
      files: [{ name: 'probe.sh', executable: true, content: Buffer.from(PROBE).toString('base64') }],
      outputs: [{ pattern: 'probe.txt', dataset }],
      ...{ environment: {}, priority: 10, readFromAfar: false, tries: 1 },
      demand: { seconds: 360, cores: 1, memoryMb: 256, diskMb: 100, sites: [name] },
    },
  })
  const job = `/kumi/v1/jobs/${jobs[0]}`
  const until = Date.now() + mostMs
  let reached = false
  for (;;) {
    const shown = await client.json<JobShown>('GET', job)
    const pilot = shown.attempts.at(-1)?.pilot
    if (pilot && !reached)
      tell({ step: 'pilot', ok: true, message: `pilot ${pilot} reached the server and took job ${jobs[0]}` })
    reached ||= pilot !== undefined
    const { status, minor, application } = shown.job
    if (OVER.includes(status)) {
      const [file] = shown.made
      return tell(
        file
          ? { step: 'storage', ok: true, message: `the output ${file.scope}:${file.name} is registered` }
          : { step: 'job', ok: false, message: `${status}: ${minor} (${application})` },
      )
    }
    if (Date.now() > until) break
    signal.throwIfAborted()
    await delay(LOOK_MS)
  }
  await client.json('POST', '/kumi/v1/jobs/orders', { json: { order: 'kill', jobs } })
  tell({ step: reached ? 'job' : 'pilot', ok: false, message: await whyNot(client, job, name) })
}

async function whyNot(client: GridClient, job: string, name: string): Promise<string> {
  const { pilots } = await client.json<{ pilots: PilotLine[] }>('GET', '/kumi/v1/pilots')
  const newest = pilots.find(({ resource }) => resource === name)
  const { because } = await client.json<{ because: string }>('GET', `${job}/explain`)
  const last = newest
    ? ` The newest pilot (${newest.reference ?? 'not submitted'}) is ${newest.state}. ${newest.reason}`
    : ''
  return `${because}${last}`.trim()
}

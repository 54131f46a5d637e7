// Something breaks at a random moment while jobs run, again and again:
//   node test/faults/job-kills.mjs [--seeds 20] [--first 1] [--only VICTIM] [--slurm] [--cut SECONDS] [--home DIR] [--port N]
// kill -9 of a pilot, of the script that keeps it, of the server, a gateway, PostgreSQL, with --slurm (as root) of
// slurmd and sshd of a real cluster; the network of a site is cut (a minute at most, or --cut); a pilot sleeps until its jobs
// were given to others, and then reports. Each time all jobs must be done by themselves, each with exactly one start that
// counted and one output file with the right content, and no other file of theirs may stay at a storage. The same seed gives the same
// victim and moment.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { homeAt, prepareHome, supervise } from '../../dist/src/embedded/index.js'
import { seededRng } from '../../dist/src/kernel/ports.js'
import { cuttable } from './cuttable.mjs'
import { openVictims, SLURM_VICTIMS, VICTIMS } from './job-victims.mjs'
import { addSlurmSite } from './slurm-site.mjs'

const { values } = parseArgs({
  options: {
    ...{ seeds: { type: 'string' }, first: { type: 'string' }, only: { type: 'string' } },
    ...{
      slurm: { type: 'boolean' },
      cut: { type: 'string' },
      home: { type: 'string' },
      port: { type: 'string' },
    },
  },
})
const seeds = Number(values.seeds ?? 20)
const first = Number(values.first ?? 1)
const JOBS = 6
const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)
const home = homeAt(values.home ?? mkdtempSync(join(tmpdir(), 'kumi-job-kills-')))
const facts = await prepareHome(home, { ...(values.port && { port: Number(values.port) }) }, new Date())
const far = facts.sites[1].name
const line = await cuttable(facts.port)
const gateway = join(home.sites, far, 'gateway.json')
writeFileSync(
  gateway,
  JSON.stringify({ ...JSON.parse(readFileSync(gateway)), server: `https://localhost:${line.port}` }),
)
const grid = await supervise({ home, facts, program: join(root, 'dist/src') })
const environment = { ...process.env, KUMI_HOME: home.path }
const cli = join(root, 'dist/src/cli/main.js')
const kumi = async (...args) => (await run(process.execPath, [cli, ...args], { env: environment })).stdout
const program = join(home.path, 'work.sh')
writeFileSync(program, '#!/bin/sh\nsleep $1; echo "made by $KUMI_JOB_ID" > made.txt\n', { mode: 0o755 })
await kumi('login', 'admin', '--password-file', join(home.client, 'password'))

let failures = 0
let cluster
const slowest = new Map()
try {
  if (values.slurm) cluster = await addSlurmSite({ root, home, facts, kumi })
  const victims = openVictims({ home, grid, line, cluster, cutSeconds: values.cut && Number(values.cut) })
  for (let seed = first; seed < first + seeds; seed++) {
    const rng = seededRng(seed)
    const kinds = cluster ? [...VICTIMS, ...SLURM_VICTIMS] : VICTIMS
    const drawn = kinds[Math.floor(rng.next() * kinds.length)]
    const victim = values.only ?? drawn
    const moment = Math.round(rng.next() * 6000)
    const name = `${victim} after ${moment} ms`
    try {
      const began = Date.now()
      const report = await oneKill(seed, victims[victim], victim, moment, rng)
      const took = (Date.now() - began) / 1000
      slowest.set(victim, Math.max(slowest.get(victim) ?? 0, took))
      console.log(`ok - seed ${seed}: ${name}; ${report}; ${took.toFixed(1)} s`)
    } catch (error) {
      failures++
      console.log(`FAIL - seed ${seed}: ${name}: ${error.stack ?? error}`)
    }
  }
} finally {
  await cluster?.stop()
  await grid.stop()
  line.close()
  if (!values.home) rmSync(home.path, { recursive: true, force: true })
}
for (const [victim, seconds] of slowest) console.log(`slowest, ${victim}: ${seconds.toFixed(1)} s`)
console.log(`${seeds - failures} passed, ${failures} failed`)
process.exit(failures === 0 ? 0 : 1)

async function oneKill(seed, harm, victim, moment, rng) {
  const dataset = `user.admin:kill-${seed}-${Date.now()}`
  const where = SLURM_VICTIMS.includes(victim)
    ? ['--site', cluster.site]
    : victim === 'cut'
      ? ['--site', far]
      : []
  const jobs = await submitted([
    ...['job', 'submit', program, '2', '--count', String(JOBS), '--output', `made.txt=${dataset}`, '--json'],
    ...['--time', '360', '--memory', '256', '--disk', '100', ...where],
  ])
  await delay(moment)
  const done = await harm({ jobs, rng })
  const deadline = Date.now() + 180_000
  let lines = []
  while (Date.now() < deadline) {
    lines = await states(jobs).catch(() => [])
    if (lines.length === JOBS && lines.every(({ Status }) => ['Done', 'Failed', 'Killed'].includes(Status)))
      break
    await delay(500)
  }
  const bad = lines.filter(({ Status }) => Status !== 'Done')
  if (lines.length < JOBS || bad.length > 0)
    throw new Error(
      `not done: ${JSON.stringify(bad.map(({ JobID, Status, MinorStatus }) => [JobID, Status, MinorStatus]))}`,
    )
  let starts = 0
  const names = []
  for (const id of jobs) {
    const { made, attempts } = JSON.parse(await kumi('job', 'show', String(id), '--json'))
    const counted = attempts.filter(({ outcome }) => outcome === 'done')
    if (counted.length !== 1 || made.length !== 1)
      throw new Error(`job ${id}: ${counted.length} starts counted, ${made.length} files made`)
    starts += attempts.length
    names.push(made[0].name)
  }
  // What starts that did not count had written, and copies whose upload seemed to fail, the server removes.
  const until = Date.now() + 60_000
  let stored = []
  do {
    stored = filesOf(jobs)
    if (stored.length === JOBS) break
    await delay(500)
  } while (Date.now() < until)
  if (stored.length !== JOBS) throw new Error(`at storages: ${stored.join(', ')}`)
  for (const [i, name] of names.entries()) {
    const file = stored.find((path) => path.endsWith(`/${name}`))
    const text = file && readFileSync(file, 'utf8')
    if (text !== `made by ${jobs[i]}\n`) throw new Error(`${name} has the wrong content: ${text}`)
  }
  return `${done ?? 'nobody to harm'}; ${starts} starts for ${JOBS} jobs`
}

/** The server may be away for a moment after the kill before. */
async function submitted(command) {
  for (let tries = 1; ; tries++) {
    try {
      return JSON.parse(await kumi(...command)).jobs
    } catch (error) {
      if (tries === 20) throw error
      await delay(1000)
    }
  }
}

async function states(jobs) {
  const text = await kumi('job', 'ls', '--json', '--limit', '1000')
  return JSON.parse(text).filter(({ JobID }) => jobs.includes(JobID))
}

function filesOf(jobs) {
  const marks = jobs.map((id) => `_${String(id).padStart(9, '0')}_`)
  return facts.sites.flatMap((site) => {
    const area = join(home.sites, site.name, 'storage', facts.vo, 'user')
    if (!existsSync(area)) return []
    return readdirSync(area, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && marks.some((mark) => entry.name.includes(mark)))
      .map((entry) => join(entry.parentPath, entry.name))
  })
}

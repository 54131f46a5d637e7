// kill -9 of PostgreSQL, the server or a gateway at a random moment of the main job's flow, again and again:
//   node test/faults/kills.mjs [--seeds 50] [--first 1] [--victim postgres] [--home DIR] [--port N]
// After each kill the flow must end by itself: the rule is OK, the bytes of every copy are right, no temporary file is
// left, and no transfer ran twice to completion. The same seed gives the same victim (unless one is
// named), moment and files.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { openDoors, until } from '../../dist/src/cli/main-job/doors.js'
import { generateRun } from '../../dist/src/cli/run-data/generate-run.js'
import { homeAt, prepareHome, supervise } from '../../dist/src/embedded/index.js'
import { seededRng } from '../../dist/src/kernel/ports.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    first: { type: 'string' },
    victim: { type: 'string' },
    home: { type: 'string' },
    port: { type: 'string' },
  },
})
const seeds = Number(values.seeds ?? 50)
const first = Number(values.first ?? 1)
const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)
const home = homeAt(values.home ?? mkdtempSync(join(tmpdir(), 'kumi-kills-')))
const facts = await prepareHome(home, { ...(values.port && { port: Number(values.port) }) }, new Date())
const grid = await supervise({ home, facts, program: join(root, 'dist/src') })
const environment = { ...process.env, KUMI_HOME: home.path }
const kumi = (...args) => run(join(root, 'kumi'), args, { env: environment })

let failures = 0
try {
  for (let seed = first; seed < first + seeds; seed++) {
    const rng = seededRng(seed)
    const victims = ['server', 'postgres', ...facts.sites.map((site) => `gateway-${site.name}`)]
    const drawn = victims[Math.floor(rng.next() * victims.length)]
    const victim = values.victim ?? drawn
    const moment = Math.round(rng.next() * 5000)
    const began = Date.now()
    try {
      const report = await oneKill(seed, victim, moment)
      console.log(
        `ok - seed ${seed}: kill -9 ${victim} after ${moment} ms; ${report}; ${((Date.now() - began) / 1000).toFixed(1)} s`,
      )
    } catch (error) {
      failures++
      console.log(`FAIL - seed ${seed}: kill -9 ${victim} after ${moment} ms: ${error.stack ?? error}`)
    }
  }
} finally {
  await grid.stop()
  if (!values.home) rmSync(home.path, { recursive: true, force: true })
}
console.log(`${seeds - failures} passed, ${failures} failed`)
process.exit(failures === 0 ? 0 : 1)

async function oneKill(seed, victim, moment) {
  const dataset = `kill-${String(seed).padStart(4, '0')}`
  const directory = join(home.path, 'kill-data', dataset)
  const files = await generateRun({
    experiment: 99,
    run: seed,
    seed,
    files: 30,
    bytes: 12_000_000,
    directory,
  })
  const killed = delay(moment).then(() => grid.kill(victim, 300))
  await again(() =>
    kumi('data', 'put', directory, '--rse', 'KEK-DISK', '--scope', 'faults', '--dataset', dataset),
  )
  await again(() =>
    kumi('rule', 'add', `faults:${dataset}`, 'site=kek|site=osaka|site=chicago', '--copies', '3').catch(
      (error) => {
        // The answer to the first try may have been lost with the server.
        if (!/duplicate/i.test(`${error.stderr}`)) throw error
      },
    ),
  )
  await killed
  const doors = await openDoors(home, facts)
  try {
    const rules = await again(async () =>
      JSON.parse((await kumi('rule', 'ls', `faults:${dataset}`, '--json')).stdout),
    )
    const id = rules.find((rule) => rule.copies === 3).id
    await until(
      'the rule becoming OK',
      () => doors.rule(id),
      (rule) => rule.state === 'OK',
      120_000,
    )
    await doors.call('GET', '/readyz').catch(() => undefined)
    return await verify(doors, dataset, files)
  } finally {
    await doors.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function again(work) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= 8) throw error
      await delay(500 * attempt)
    }
  }
}

async function verify(doors, dataset, files) {
  const digests = new Map(
    files.map((f) => [f.name, createHash('md5').update(readFileSync(f.path)).digest('hex')]),
  )
  const listed = await doors.files('faults', dataset)
  if (listed.length !== files.length)
    throw new Error(`${listed.length} files listed, ${files.length} recorded`)
  let copies = 0
  for (const file of listed) {
    for (const pfn of Object.keys(file.pfns)) {
      const found = await doors.md5Of(pfn)
      if (found !== digests.get(file.name)) throw new Error(`the bytes of ${pfn} are wrong`)
      copies++
    }
  }
  if (copies !== 3 * files.length) throw new Error(`${copies} copies, expected ${3 * files.length}`)
  for (const site of facts.sites) {
    const left = incoming(join(home.sites, site.name, 'storage'))
    if (left.length > 0) throw new Error(`temporary files left at ${site.name}: ${left}`)
  }
  const client = new pg.Client({ host: home.postgres, port: 5432, user: 'kumi', database: 'kumi' })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select f.name, t.dst_rse_id from transfer_log t join file f on f.id = t.file_id
       where f.name like $1 and t.outcome = 'done' group by 1, 2 having count(*) > 1`,
      [`%r${String(Number(dataset.slice(5))).padStart(5, '0')}%`],
    )
    if (rows.length > 0) throw new Error(`copied twice: ${JSON.stringify(rows)}`)
  } finally {
    await client.end()
  }
  return `${copies} copies right`
}

function incoming(storage) {
  return readdirSync(storage, { recursive: true }).filter((path) => /\.kumi\/incoming\/./.test(String(path)))
}

// Screens of computing and operations with a million jobs behind them, in both languages:
//   npm run build && node --import ./test/harness/typescript-loader.mjs test/browser/many-jobs.ts [--jobs 1000000]
//     [--pictures DIR] [--home HOME] [--times 3] [--only WORD]
// Starts a grid and fills its database, or takes the grid that runs in HOME and fills it unless it is; opens each screen in
// Chromium, lets axe look at it, takes a picture, and prints how long it took until its contents stood still (the median
// of several times), its slowest answer, and its largest. It ends with status 1 when a screen is not whole.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { chromium, type Request } from 'playwright-core'
import { homeAt } from '../../src/embedded/home.ts'
import { type Db, openDatabase, rows, sql } from '../../src/kernel/index.ts'
import { fillGrid, isCounted, jobCount, sitesReport } from '../harness/many/index.ts'
import { startGrid } from './grid.ts'
import { CHROMIUM, openScreens, READERS, type Reader, type Screens } from './screen.ts'

const { values } = parseArgs({
  options: {
    ...{ jobs: { type: 'string', default: '1000000' }, times: { type: 'string', default: '3' } },
    ...{ pictures: { type: 'string' }, home: { type: 'string' }, only: { type: 'string', default: '' } },
  },
})
const jobs = Number(values.jobs)
const say = (text: string): void => console.error(text)
/** As long as this nothing moves on a screen before it counts as complete. */
const STILL_MS = 500
const PATIENCE_MS = 60_000
const REPORT_MS = 4000
const LAST_CHANGE = `globalThis.kumiChanged = performance.now(); new MutationObserver(() => { globalThis.kumiChanged = performance.now() })
  .observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true })`

interface Grid {
  readonly address: string
  readonly password: string
  stop(): Promise<void>
}

/** One that runs already is left running. */
function runningGrid(home: string): Grid {
  const { port } = JSON.parse(readFileSync(join(home, 'grid.json'), 'utf8')) as { port: number }
  const password = readFileSync(join(home, 'client/password'), 'utf8').trim()
  return { address: `http://localhost:${port}`, password, stop: async () => undefined }
}

async function newGrid(): Promise<{ grid: Grid; home: string }> {
  const grid = await startGrid()
  return { grid, home: grid.environment.KUMI_HOME! }
}

const { grid, home } = values.home ? { grid: runningGrid(values.home), home: values.home } : await newGrid()
const connection = { host: homeAt(home).postgres, port: 5432, user: 'kumi', database: 'kumi' }
const { db, close } = openDatabase({ connection, poolSize: 2 })
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
let reporting = true
const reports = (async () => {
  for (; reporting; await delay(REPORT_MS, undefined, { ref: false })) await sitesReport(db, new Date())
})()
let wrong = 0
try {
  if ((await jobCount(db)) < jobs) await fillGrid(db, new Date(), jobs, say)
  say('waiting until the grid has counted what ended')
  while (!(await isCounted(db, new Date()))) await delay(2000)
  const screens = await screensOf(db)
  const table: string[] = []
  for (const reader of READERS) {
    const shown = await openScreens(browser, grid, reader, values.pictures)
    for (const [name, path] of screens.filter(([one]) => one.includes(values.only)))
      table.push(`| ${name} | ${reader.language} | ${await measured(shown, reader, name, path)} |`)
    for (const problem of shown.problems) console.log(problem)
    wrong += shown.problems.length
    await shown.close()
  }
  console.log('| screen | language | ms | slowest answer, ms | largest answer, kB |\n|---|---|---|---|---|')
  console.log(table.join('\n'))
} finally {
  reporting = false
  await reports
  await browser.close()
  await close()
  await grid.stop()
}
process.exitCode = wrong > 0 ? 1 : 0

/** What is opened: names and paths, with jobs of each kind, the largest production and the worst site. */
async function screensOf(from: Db): Promise<readonly (readonly [name: string, path: string])[]> {
  const [some] = await rows(
    from,
    sql<{ failed: bigint; done: bigint; running: bigint; waiting: bigint; owner: string; card: bigint }>`
      select (select job_id from job_log group by 1 order by count(*) desc limit 1) as failed, (select max(id) from job where vo = 'demo' and state = 12 and owner_id >= 100000) as done,
        (select max(id) from job where vo = 'demo' and state = 8) as running,
        (select max(id) from job where vo = 'demo' and state = 5) as waiting,
        (select owner from job_queue where owner_id = 100150 limit 1) as owner, (select max(id) from card where key like 'many %') as card`,
  )
  const [largest] = await rows(
    from,
    sql<{ name: string }>`select p.name from production p join production_step s on s.production_id = p.id
      group by p.id, p.name order by sum(s.tasks) desc limit 1`,
  )
  const { failed, done, running, waiting, owner, card } = some!
  return [
    ['now', '/'],
    ['jobs', '/jobs'],
    ['jobs that failed', '/jobs?status=Failed'],
    ['jobs of somebody', `/jobs?owner=${owner}`],
    ['jobs by name', '/jobs?name=tau*'],
    ['jobs by a name that few have', '/jobs?name=tau_to_3mu_17'],
    ['jobs at a site', '/jobs?site=marseille'],
    ['jobs over a week', '/jobs?span=168'],
    ['a job that failed, with its log', `/jobs/${failed}`],
    ['a job that is done', `/jobs/${done}`],
    ['a job that runs', `/jobs/${running}`],
    ['a job that waits', `/jobs/${waiting}`],
    ['productions', '/productions'],
    ['productions, all', '/productions?show=all'],
    ['the largest production', `/productions/${largest!.name}`],
    ['its verified tasks', `/productions/${largest!.name}?tasks=verified`],
    ['sites', '/sites'],
    ['sites, a week', '/sites?hours=168'],
    ['a site', '/sites/marseille'],
    ['a card', `/cards/${card}`],
    ['the shift', '/shift'],
    ['raw data', '/raw'],
    ['a run of raw data', '/raw/26/3990'],
    ['status', '/status'],
  ]
}

interface Answer {
  readonly path: string
  readonly ms: number
  readonly bytes: number
}

async function measured(screens: Screens, reader: Reader, name: string, path: string): Promise<string> {
  const taken: number[] = []
  const answers: Answer[] = []
  for (let n = 0; n < Number(values.times); n++)
    taken.push(await openOnce(screens, reader, grid.address, path, answers))
  await screens.look(name.replaceAll(/[^a-z]+/g, '-'))
  const ms = taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)]!
  const most = (of: keyof Omit<Answer, 'path'>): Answer =>
    answers.reduce((worst, one) => (one[of] > worst[of] ? one : worst), { path: 'none', ms: 0, bytes: 0 })
  const line = `${Math.round(ms)} | ${Math.round(most('ms').ms)} ${most('ms').path} | ${Math.ceil(most('bytes').bytes / 1000)} ${most('bytes').path}`
  say(`${name}: ${line}`)
  return line
}

/** Milliseconds from the beginning until the last change before everything stood still. */
async function openOnce(
  { page, open }: Screens,
  { t }: Reader,
  address: string,
  path: string,
  answers: Answer[],
): Promise<number> {
  let pending = 0
  const reading: Promise<void>[] = []
  const counts = (url: string) =>
    /^\/(kumi|rucio|iam|status)/.test(new URL(url).pathname) && !url.endsWith('/events')
  const onRequest = (request: Request): void => {
    if (counts(request.url())) pending++
  }
  const onEnd = (request: Request): void => {
    if (!counts(request.url())) return
    pending--
    reading.push(note(request, answers))
  }
  await page.goto('about:blank')
  page.on('request', onRequest).on('requestfinished', onEnd).on('requestfailed', onEnd)
  if (path === '/status') await page.goto(`${address}${path}`)
  else await open(path)
  await page.evaluate(LAST_CHANGE)
  const begun = performance.now()
  for (;;) {
    const [at, changed] = (await page.evaluate('[performance.now(), globalThis.kumiChanged]')) as [
      number,
      number,
    ]
    const loading = await page.locator('.empty', { hasText: t.app.loading }).count()
    if (pending === 0 && loading === 0 && at - changed > STILL_MS) {
      page.off('request', onRequest).off('requestfinished', onEnd).off('requestfailed', onEnd)
      await Promise.all(reading)
      return changed
    }
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${path} does not come to rest`)
    await delay(20)
  }
}

async function note(request: Request, answers: Answer[]): Promise<void> {
  const { pathname, search } = new URL(request.url())
  const answer = await request.response().catch(() => null)
  const body = await answer?.body().catch(() => undefined)
  answers.push({ path: `${pathname}${search}`, ms: request.timing().responseEnd, bytes: body?.length ?? 0 })
}

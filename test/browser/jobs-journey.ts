import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openScreens, READERS, type Screens, type World } from './screen.ts'

const FIT = `#!/bin/sh
echo "fitting $KUMI_JOB_ID"
echo "few events" >&2
echo hist > hist.root
`

export function jobsJourney(world: World): void {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-fit-'))
  let fit = 0
  let broken = 0

  const submit = async (...words: string[]): Promise<number> =>
    (JSON.parse(await world.grid.kumi('job', 'submit', ...words, '--json')) as { jobs: number[] }).jobs[0]!

  beforeAll(async () => {
    writeFileSync(join(directory, 'fit.sh'), FIT)
    const input = ['--input', 'raw:raw.e0007.r00042.f00003.dat', '--output', '*.root=user.admin:fit']
    fit = await submit(join(directory, 'fit.sh'), ...input)
    broken = await submit('/bin/false', '--name', 'broken')
    await world.grid.kumi('job', 'wait', String(fit))
    await world.grid.kumi('job', 'wait', String(broken)).catch(() => undefined)
  }, 240_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('the script of a job does the same here, with the same inputs', async () => {
    const script = await world.grid.kumi('job', 'script', String(fit))
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      cwd: directory,
      env: { ...process.env, ...world.grid.environment },
    })
    expect(stdout).toContain(`fitting ${fit}`)
    expect(readdirSync(join(directory, `job-${fit}/work`)).sort()).toEqual([
      ...['fit.sh', 'hist.root', 'kumi-inputs.txt', 'raw.e0007.r00042.f00003.dat'],
    ])
  })

  describe.each(READERS)('($language)', (reader) => {
    const { t, language } = reader
    let screens: Screens
    beforeAll(async () => {
      screens = await openScreens(world.browser, world.grid, reader)
    })
    afterAll(() => screens?.close())

    test('the list is narrowed by state and by what is searched for', async () => {
      const { page, open, look } = screens
      await open('/jobs')
      const states = page.getByRole('navigation', { name: t.jobs.byState })
      await page.getByRole('link', { name: String(fit), exact: true }).waitFor()
      const over = page.getByRole('region', { name: t.jobs.over.title, exact: true })
      await over.getByRole('img', { name: t.jobs.over.alive }).waitFor()
      await look('jobs')
      await over.getByText(t.jobs.over.table).click()
      await over.getByRole('table').waitFor()
      await states.getByRole('link', { name: t.jobs.state.Failed }).click()
      await page.getByRole('link', { name: String(broken), exact: true }).waitFor()
      await page.getByRole('link', { name: String(fit), exact: true }).waitFor({ state: 'detached' })
      await open('/jobs')
      const filter = page.getByRole('form', { name: t.jobs.filter })
      await filter.getByLabel(t.jobs.name).fill('fit*')
      await filter.getByRole('button', { name: t.jobs.go }).click()
      await page.getByRole('link', { name: String(fit), exact: true }).waitFor()
      await page.getByRole('link', { name: String(broken), exact: true }).waitFor({ state: 'detached' })
      await open('/jobs?name=nothing-is-called-so')
      await page.getByText(t.jobs.none).waitFor()
      await look('jobs-none')
    })

    test('a job that is done shows what it wrote, read and made', async () => {
      const { page, open, look } = screens
      await open(`/jobs/${fit}`)
      await page.getByText(`fitting ${fit}`).waitFor()
      await page.getByRole('link', { name: 'raw:raw.e0007.r00042.f00003.dat' }).waitFor()
      await page.getByRole('link', { name: /^user\.admin:hist_.*\.root$/ }).waitFor()
      await look('job-done')
      await page.getByRole('button', { name: t.jobs.script.show }).click()
      await page.getByText('kumi data get --dir').waitFor()
      await look('job-script')
      await page.getByRole('button', { name: t.jobs.err, exact: true }).click()
      await page.getByText('few events').waitFor()
    })

    test('a script is submitted, waits for a reason, is held, released and killed', async () => {
      const { page, open, look } = screens
      await open('/jobs/new')
      await page.getByLabel(t.jobs.name).fill(`big-${language}`)
      await page.getByLabel(t.jobs.submit.script).fill('#!/bin/sh\nsleep 600\n')
      // Longer than any pilot of this grid may live: it can run nowhere.
      await page.getByLabel(t.jobs.submit.hours).fill('300')
      await look('job-new')
      await page.getByRole('button', { name: t.jobs.submit.send }).click()
      await page.getByText(t.jobs.why.nowhere).waitFor()
      await look('job-waiting')
      await page.getByRole('button', { name: t.jobs.order.hold, exact: true }).click()
      await page.getByText(t.jobs.why.held).waitFor()
      await page.getByRole('button', { name: t.jobs.order.release, exact: true }).click()
      await page.getByText(t.jobs.why.nowhere).waitFor()
      await page.getByRole('button', { name: t.jobs.order.kill, exact: true }).click()
      const dialog = page.getByRole('alertdialog')
      await dialog.getByText(t.jobs.sure.kill).waitFor()
      await dialog.getByRole('button', { name: t.jobs.order.kill, exact: true }).click()
      await page.getByRole('heading', { name: t.jobs.why.over }).waitFor()
    })

    test('a file that a job made says so, and leads to the job', async () => {
      const { page, open, look } = screens
      await open(`/jobs/${fit}`)
      await page.getByRole('link', { name: /^user\.admin:hist_.*\.root$/ }).click()
      const lineage = page.getByRole('region', { name: t.data.lineage.title, exact: true })
      await lineage.getByRole('link', { name: 'raw:raw.e0007.r00042.f00003.dat' }).waitFor()
      await look('file-lineage')
      await lineage.getByRole('link', { name: String(fit), exact: true }).click()
      await page.getByRole('heading', { name: t.jobs.starts }).waitFor()
    })

    test('a broken job is chosen in the list and run again, and one is submitted as a new job', async () => {
      const { page, open } = screens
      await open('/jobs?status=Failed')
      await page.getByRole('checkbox', { name: t.jobs.choose(broken) }).check()
      await page.getByRole('button', { name: t.jobs.order.rerun, exact: true }).click()
      const dialog = page.getByRole('alertdialog')
      await dialog.getByRole('button', { name: t.jobs.order.rerun, exact: true }).click()
      await dialog.waitFor({ state: 'detached' })
      await world.grid.kumi('job', 'wait', String(broken)).catch(() => undefined)
      await open(`/jobs/${fit}`)
      await page.getByRole('button', { name: t.jobs.order.again, exact: true }).click()
      await page.waitForURL((url) => /\/jobs\/\d+$/.test(url.hash) && !url.hash.endsWith(`/${fit}`))
    })

    test('sites show how jobs ended there, what they offer, and lead to each other', async () => {
      const { page, open, look } = screens
      await open('/sites')
      await page.getByRole('region', { name: t.sites.matrix }).getByRole('table').waitFor()
      await page.getByRole('region', { name: 'kek' }).getByText('kek-local').waitFor()
      await look('sites')
      await page.getByRole('region', { name: 'kek' }).getByRole('link', { name: 'KEK, Tsukuba' }).click()
      await page.getByRole('heading', { name: t.sites.gateways }).waitFor()
      await page.getByRole('region', { name: t.sites.storage }).getByText('KEK-DISK').waitFor()
      await page.getByRole('heading', { name: t.sites.newestPilots }).waitFor()
      await look('site')
      await page.getByRole('link', { name: t.sites.jobsHere }).click()
      await page.getByRole('navigation', { name: t.jobs.byState }).waitFor()
      // Also for those who come by the address, before the sites are known.
      await open('/jobs?site=kek')
      await page.getByRole('navigation', { name: t.jobs.byState }).waitFor()
      expect(await page.getByRole('combobox', { name: t.jobs.site }).inputValue()).toBe('kek')
    })

    test('every screen was whole, accessible and without complaints', () => {
      expect(screens.problems).toEqual([])
    })
  })
}

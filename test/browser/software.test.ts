// Software repositories in a real browser, at a really started grid into which releases were really published.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { everyEntry, repositoryFiles } from '../harness/software-files.ts'
import { type StartedGrid, startGrid } from './grid.ts'
import { CHROMIUM, openScreens, READERS, type Screens, startBrowser } from './screen.ts'

const run = promisify(execFile)
const REPOSITORY = 'koto.example.org'
const MIRRORED = 'simulation.example.org'
const CHECKED = 'checked.example.org'

describe.skipIf(missing(CHROMIUM))('software at the console', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-release-'))
  const secrets = mkdtempSync(join(tmpdir(), 'kumi-secrets-'))
  let grid: StartedGrid
  let browser: Browser
  let original: Server

  beforeAll(async () => {
    mkdirSync(join(directory, 'bin'))
    mkdirSync(join(directory, 'lib'))
    writeFileSync(join(directory, 'bin/reco'), '#!/bin/sh\nexec true\n', { mode: 0o755 })
    writeFileSync(join(directory, 'lib/libreco.so'), Buffer.alloc(2000, '\0\x01'))
    const other = await repositoryFiles({ name: MIRRORED })
    await other.publish(async (tree) => {
      for (const entry of everyEntry(other).entries) await tree.put(entry)
    })
    original = createServer((request, response) => {
      const bytes = other.files.get(request.url!.slice(`/cvmfs/${MIRRORED}/`.length))
      response.writeHead(bytes ? 200 : 404).end(bytes)
    }).listen(0, '127.0.0.1')
    await once(original, 'listening')
    const host = `localhost:${(original.address() as AddressInfo).port}`
    grid = await startGrid({ settings: { KUMI_SOFTWARE_MIRROR_HOSTS: host } })
    const key = join(directory, 'master.pub')
    writeFileSync(key, other.master.publicKey.export({ type: 'spki', format: 'pem' }))
    const from = ['--url', `http://${host}/cvmfs/@fqrn@`, '--key', key, '--title', 'Simulation of others']
    await grid.kumi('software', 'mirror', 'add', MIRRORED, ...from)
    rmSync(key)
    await grid.kumi('software', 'create', REPOSITORY, '--title', 'KOTO software')
    await grid.kumi('software', 'publish', directory, '--to', '/releases/08', '--tag', 'release-08')
    writeFileSync(join(directory, 'bin/reco'), '#!/bin/sh\nexec reconstruct "$@"\n', { mode: 0o755 })
    writeFileSync(join(directory, 'NEWS'), 'reconstruction is back\n')
    await grid.kumi('software', 'publish', directory, '--to', '/releases/08')
    await grid.kumi('job', 'submit', '/bin/true', '--software', `${REPOSITORY}@release-08`)
    await proposeAs(
      'rin',
      READERS.map(({ language }) => `/releases/${language}`),
    )
    const sites = JSON.parse(await grid.kumi('site', 'ls', '--json')) as { endpoint: string }[]
    const near = [`${sites[0]!.endpoint}/cvmfs/${REPOSITORY}`, '--copy']
    await grid.kumi('software', 'get', REPOSITORY, join(directory, 'copy'), '--url', ...near)
    browser = await startBrowser()
  }, 240_000)
  /** Somebody who may publish where somebody else must approve, and who publishes at these places. */
  async function proposeAs(who: string, places: readonly string[]) {
    const [word, token] = [join(secrets, 'word'), join(secrets, 'token')]
    await grid.kumi('software', 'create', CHECKED, '--title', 'Checked releases')
    await grid.kumi('software', 'approval', CHECKED, 'on', '--path', '/releases')
    writeFileSync(word, 'a long enough word\n')
    const name = ['--given', 'Rin', '--family', 'Sato', '--email', `${who}@example.org`]
    await grid.kumi('people', 'register', who, ...name, '--password-file', word)
    await grid.kumi('people', 'approve', who)
    await grid.kumi('policy', 'sign', '--for', who)
    await grid.kumi('access', 'allow', who, 'software.publish', '--on', `/${CHECKED}/releases`)
    await grid.kumi('login', who, '--password-file', word, '--token-file', token)
    const environment = { ...process.env, ...grid.environment, BEARER_TOKEN_FILE: token }
    const release = join(directory, 'bin')
    for (const place of places)
      await run('kumi', ['software', 'publish', release, '--repo', CHECKED, '--to', place], {
        env: environment,
      })
  }
  afterAll(async () => {
    await browser?.close()
    await grid?.stop()
    original?.close()
    for (const one of [directory, secrets]) rmSync(one, { recursive: true, force: true })
  }, 90_000)

  describe.each(READERS)('($language)', (reader) => {
    const { t, language } = reader
    let screens: Screens
    const follow = (name: string, exact = true) =>
      screens.page.getByRole('link', { name, exact }).first().click()
    beforeAll(async () => {
      screens = await openScreens(browser, grid, reader)
    })
    afterAll(() => screens?.close())

    test('repositories lead to who published what', async () => {
      const { page, open, look } = screens
      await open('/software')
      await page.getByText('KOTO software').waitFor()
      const caches = page.getByRole('region', { name: t.software.caches, exact: true })
      await caches.getByText(/%/).first().waitFor()
      await look('software')
      await follow(REPOSITORY)
      const second = page.getByRole('region', { name: t.software.revisionOf(2), exact: true })
      await second.getByText('release-08').waitFor()
      await second.getByText(t.software.changes(5, 0)).waitFor()
      await second.getByText(/2(\.0+)? kB/).waitFor()
      await look('software-revisions')
    })

    test('a tree is walked down to a file that can be read', async () => {
      const { page, open, look } = screens
      await open(`/software/${REPOSITORY}?view=files&revision=2`)
      for (const name of ['releases/', '08/', 'bin/']) await follow(name)
      await look('software-directory')
      await follow('reco')
      await page.getByText('exec true').waitFor()
      await look('software-file')
      await follow('08')
      await follow('lib/')
      await follow('libreco.so')
      await page.getByText(t.software.notText).waitFor()
    })

    test('two revisions are compared', async () => {
      const { page, open, look } = screens
      await open(`/software/${REPOSITORY}?view=compare&from=2&to=3`)
      await page
        .getByRole('row', { name: new RegExp(`${t.software.what.added}.*/releases/08/NEWS`) })
        .waitFor()
      await page
        .getByRole('row', { name: new RegExp(`${t.software.what.changed}.*/releases/08/bin/reco`) })
        .waitFor()
      await look('software-compare')
      await page.getByLabel(t.software.before).selectOption('3')
      await page.getByText(t.software.same).waitFor()
    })

    test('keys, expiry and space are shown, with what giving up old revisions would free', async () => {
      const { page, open, look } = screens
      await open(`/software/${REPOSITORY}?view=keys`)
      await page.getByText(t.software.renews).waitFor()
      await page.getByText('BEGIN PUBLIC KEY').waitFor()
      await page.getByText(t.software.nothingToFree).waitFor()
      await look('software-keys')
    })

    test('which sites see which revision is shown, and which jobs run with which tree', async () => {
      const { page, open, look } = screens
      await open(`/software/${REPOSITORY}?view=use`)
      const sites = page.getByRole('region', { name: t.software.atSites, exact: true })
      await sites.getByRole('row').nth(1).waitFor()
      const jobs = page.getByRole('region', { name: t.software.jobs, exact: true })
      await jobs.getByText(`${REPOSITORY}@release-08`).waitFor()
      await look('software-use')
    })

    test('a mirror says where it comes from, is looked into, and offers nothing that only its publishers may', async () => {
      const { page, open, look } = screens
      await open(`/software/${MIRRORED}?view=keys`)
      await page.getByText(t.software.readThrough).waitFor()
      await look('software-mirror')
      await open(`/software/${MIRRORED}`)
      const first = page.getByRole('region', { name: t.software.revisionOf(1), exact: true })
      await first.getByText(t.software.kind.mirror).waitFor()
      expect(await first.getByRole('button').count()).toBe(0)
      await first.getByRole('link', { name: t.software.look }).click()
      for (const name of ['lib/', 'plain']) await follow(name)
      await page.getByText('plain text').waitFor()
    })

    test('what somebody proposed is looked into and approved', async () => {
      const { page, open, look } = screens
      await open('/software')
      const waiting = page.getByRole('region', {
        name: t.software.wish.publish(`/releases/${language}`, null),
      })
      await waiting.getByText('rin', { exact: false }).first().waitFor()
      await waiting.getByRole('button', { name: t.software.difference }).click()
      await waiting.getByRole('row', { name: new RegExp(`/releases/${language}/reco`) }).waitFor()
      await look('software-proposals')
      await waiting.getByRole('button', { name: t.software.approve, exact: true }).click()
      const asked = page.getByRole('alertdialog')
      await asked.getByText(t.software.approveSure('rin')).waitFor()
      await asked.getByRole('button', { name: t.software.approve, exact: true }).click()
      await waiting.waitFor({ state: 'detached' })
      await open(`/software/${CHECKED}`)
      const newest = page.getByRole('region', {
        name: t.software.revisionOf(language === 'en' ? 2 : 3),
        exact: true,
      })
      await newest.getByText(t.software.approvedBy('admin'), { exact: false }).waitFor()
      await open(`/software/${CHECKED}?view=keys`)
      await page.getByText(t.software.approvalBelow(['/releases'])).waitFor()
    })

    test('a revision gets a tag and an earlier one is put back', async () => {
      const { page, open } = screens
      await open(`/software/${REPOSITORY}`)
      const third = page.getByRole('region', { name: t.software.revisionOf(3), exact: true })
      await third.getByRole('button', { name: t.software.giveTag }).click()
      await third
        .getByRole('textbox', { name: new RegExp(`^${t.software.tagName}`) })
        .fill(`checked-${language}`)
      await third.getByRole('button', { name: t.software.giveTag }).click()
      await third.getByText(`checked-${language}`).waitFor()
      const second = page.getByRole('region', { name: t.software.revisionOf(2), exact: true })
      await second.getByRole('button', { name: t.software.rollback }).click()
      await page.getByText(t.software.rollbackSure(2)).waitFor()
      await page.getByRole('alertdialog').getByRole('button', { name: t.software.rollback }).click()
      const made = language === 'en' ? 4 : 5
      await page.getByRole('region', { name: t.software.revisionOf(made), exact: true }).waitFor()
    })

    test('every screen was whole, accessible and without complaints', () => {
      expect(screens.problems).toEqual([])
    })
  })
})

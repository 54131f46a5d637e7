import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  PROPOSAL_SECONDS,
  REPOSITORY,
  type SoftwareWorld,
  softwareWorld,
  who,
} from '../../test/harness/software-world.ts'
import { sql } from '../kernel/database.ts'
import { approvalFor } from './approval.ts'
import type { ProposalRow } from './proposal.store.ts'

const database = testDatabase()
let world: SoftwareWorld
let local: string
let ahead = 0
const clock = { now: () => new Date(Date.now() + ahead), sleep: async () => undefined }
beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), 'kumi-release-'))
  world = softwareWorld(database, { clock })
  await world.begin()
})
afterAll(async () => {
  await world.close()
  rmSync(local, { recursive: true, force: true })
})

/** A directory with one file of this text. */
function directory(text: string): string {
  const path = join(local, text)
  if (existsSync(path)) return path
  mkdirSync(path)
  writeFileSync(join(path, 'news'), text)
  return path
}
const demand = (path: string, needed = true) =>
  world.software.setApproval(REPOSITORY, 'demo', { path, needed, account: 'root' })
const revision = async () => Number((await world.software.describe(REPOSITORY, 'demo')).revision)
const approve = (id: string, account = 'aki') => world.software.approve('demo', { id, account })
const open = (all = false) => world.software.proposals('demo', { repository: REPOSITORY, all, limit: 100 })
const news = async (path: string, of?: string) => (await world.contents(of))[`${path}/news`]
async function proposed(
  text: string,
  to: string,
  more: { tag?: string; cacheFile?: string } = {},
): Promise<string> {
  const report = await world.publish(directory(text), to, more)
  expect(report.proposal).not.toBeNull()
  return report.proposal!.id
}

test('approval is needed below a place, above it, and for whatever is about the whole tree', () => {
  const at = [{ path: '/releases' }]
  expect(approvalFor(at, { path: '/releases/08' })).toBe(true)
  expect(approvalFor(at, { path: '/releases' })).toBe(true)
  expect(approvalFor(at, { path: '' })).toBe(true)
  expect(approvalFor(at, { path: '/releases-old' })).toBe(false)
  expect(approvalFor(at, { path: '/try' })).toBe(false)
  expect(approvalFor(at, { path: '/try', tag: 'stable' })).toBe(true)
  expect(approvalFor([{ path: '' }], { path: '/try' })).toBe(true)
  expect(approvalFor([], { path: '', tag: 'stable' })).toBe(false)
})

describe('where somebody else has to approve', () => {
  beforeAll(async () => {
    await world.publish(directory('old'), '/releases/01', { tag: 'release-01' })
    await demand('/releases')
  })

  test('a publication waits, can be looked at, and becomes what it would have been', async () => {
    const before = await revision()
    const cacheFile = join(local, 'notes')
    const id = await proposed('first', '/releases/02', { tag: 'release-02', cacheFile })
    expect(await revision()).toBe(before)
    expect(await news('/releases/02')).toBeUndefined()
    const [waiting] = await open()
    expect(waiting).toMatchObject({
      ...{ id, account: 'mika', path: '/releases/02', tag: 'release-02', put: 2n, removed: 0n, files: 2n },
      ...{ state: 'proposed', overtakenBy: null },
    })
    const { added, paths } = await world.software.browser.compareProposal(waiting!)
    expect(added).toBe(2)
    expect(paths.map(({ path }) => path)).toEqual(['/releases/02', '/releases/02/news'])
    expect(world.told.at(-1)).toMatchObject({ kind: 'software.proposed', accounts: ['aki'] })
    // Whoever is to approve may try it.
    expect(await news('/releases/02', waiting!.rootHash!)).toBe('first')
    await expect(world.software.pin('demo', `${REPOSITORY}@${waiting!.rootHash}`)).rejects.toMatchObject({
      code: 'software_no_such_revision',
    })

    expect(await approve(id)).toMatchObject({
      state: 'committed',
      decidedBy: 'aki',
      revision: BigInt(before + 1),
    })
    expect(await news('/releases/02', 'release-02')).toBe('first')
    const [newest] = await world.software.revisions(REPOSITORY, 'demo', 1)
    expect(newest).toMatchObject({ account: 'mika', approvedBy: 'aki', path: '/releases/02' })
    expect(world.told.at(-1)).toMatchObject({ kind: 'software.decided', accounts: ['mika'] })
    expect(world.audited.slice(-3)).toEqual(['software.proposed', 'software.approved', 'software.published'])
    expect(await world.problems()).toEqual([])
    await expect(approve(id)).rejects.toMatchObject({ code: 'software_proposal_over' })
    // What was noted when it was proposed is not taken for what is published.
    expect(await world.publish(directory('first'), '/releases/02', { cacheFile })).toMatchObject({
      ...{ unchanged: true, proposal: null, uploadedObjects: 0 },
    })
  })

  test('elsewhere it is published at once', async () => {
    expect((await world.publish(directory('first'), '/try')).proposal).toBeNull()
    expect((await world.publish(directory('second'), '/try')).proposal).toBeNull()
  })

  test('nobody approves or rejects their own, and nobody else withdraws it', async () => {
    const id = await proposed('mine', '/releases/03')
    const denied = { code: 'software_four_eyes', kind: 'denied' }
    await expect(approve(id, 'mika')).rejects.toMatchObject(denied)
    await expect(world.software.reject('demo', { id, account: 'mika', reason: 'no' })).rejects.toMatchObject(
      denied,
    )
    await expect(world.software.withdraw('demo', { id, account: 'aki' })).rejects.toMatchObject(denied)
    // Not even with the database in hand.
    for (const by of ['mika', null])
      await expect(
        sql`update software_publication set state = 'committed', decided_by = ${by} where id = ${id}`.execute(
          database.db,
        ),
      ).rejects.toThrow('software_publication_decided_by_another')
    expect(await world.software.withdraw('demo', { id, account: 'mika' })).toMatchObject({
      state: 'cancelled',
    })
    await expect(approve(id)).rejects.toThrow('was withdrawn')
    await expect(world.software.approve('other', { id, account: 'aki' })).rejects.toMatchObject({
      code: 'software_no_such_proposal',
    })
  })

  test('what is rejected says why', async () => {
    const cacheFile = join(local, 'rejected')
    const id = await proposed('bad', '/releases/04', { cacheFile })
    await world.software.reject('demo', { id, account: 'aki', reason: 'It has no notes.' })
    await expect(approve(id)).rejects.toThrow('rejected by aki: It has no notes.')
    expect(world.told.at(-1)!.texts.en.body).toContain('It has no notes.')
    expect(await news('/releases/04')).toBeUndefined()
    // What was noted of it is not there: proposed once more, it is proposed whole.
    const again = await proposed('bad', '/releases/04', { cacheFile })
    expect((await open())[0]).toMatchObject({ id: again, put: 2n })
    await approve(again)
    expect(await news('/releases/04')).toBe('bad')
  })

  test('what others published elsewhere meanwhile stays; what changed the same place stops it', async () => {
    const [one, other] = [await proposed('one', '/releases/05'), await proposed('two', '/releases/06')]
    await world.publish(directory('third'), '/try')
    await approve(one)
    await approve(other)
    expect([await news('/releases/05'), await news('/releases/06'), await news('/try')]).toEqual([
      ...['one', 'two', 'third'],
    ])
    const late = await proposed('late', '/releases/05')
    // The same people mean the newer one; somebody else means their own.
    await demand('/releases', false)
    await world.publish(directory('quick'), '/releases/05')
    await demand('/releases')
    expect((await open())[0]).toMatchObject({ id: late, overtakenBy: BigInt(await revision()) })
    const overtaken = `Revision ${await revision()} changed /releases/05`
    await expect(approve(late)).rejects.toMatchObject({
      code: 'software_proposal_conflict',
      message: expect.stringContaining(overtaken),
    })
    const again = await proposed('again', '/releases/05')
    expect((await open()).map(({ id }) => id)).toEqual([again])
    await approve(again)
    expect(await news('/releases/05')).toBe('again')
    expect(await world.problems()).toEqual([])
  })

  test('it is not approved while somebody publishes there', async () => {
    const id = await proposed('waits', '/releases/05')
    const at = await world.software.openPublication({ ...who, repository: REPOSITORY, path: '/releases' })
    await expect(approve(id)).rejects.toMatchObject({ code: 'software_publication_conflict' })
    await world.software.cancel(at.id)
    expect((await open()).map((one) => one.id)).toEqual([id])
    await approve(id)
    expect(await news('/releases/05')).toBe('waits')
  })

  test('there is no way around: above, with a tag, by going back, by giving and taking tags', async () => {
    const before = await world.software.describe(REPOSITORY, 'demo')
    const ids = [
      await proposed('above', ''),
      await proposed('tagged', '/try', { tag: 'mine' }),
      (await world.software.rollback(REPOSITORY, 'demo', { tag: 'release-01', account: 'mika' })).proposal!
        .id,
      (await world.software.tag(REPOSITORY, 'demo', {
        ...{ name: 'stable', revision: 2n, description: 'the best', account: 'mika' },
      }))!.id,
      (await world.software.removeTag(REPOSITORY, 'demo', { name: 'release-02', account: 'mika' }))!.id,
    ]
    const after = await world.software.describe(REPOSITORY, 'demo')
    expect([after.revision, after.tags]).toEqual([before.revision, before.tags])
    const found = await open()
    expect(found.map(({ kind }) => kind).sort()).toEqual(['publish', 'publish', 'rollback', 'tag', 'untag'])
    const back = found.find(({ kind }) => kind === 'rollback')!
    expect((await world.software.browser.compareProposal(back)).removed).toBeGreaterThan(0)
    for (const id of ids)
      await expect(approve(id, 'mika')).rejects.toMatchObject({ code: 'software_four_eyes' })
    const [above, tagged, rollback, stable, untag] = ids as [string, string, string, string, string]
    await approve(stable)
    await approve(untag)
    expect((await world.software.describe(REPOSITORY, 'demo')).tags.map(({ name }) => name)).toEqual([
      ...['release-01', 'stable'],
    ])
    await approve(rollback)
    expect(await news('/releases/05')).toBeUndefined()
    expect(await news('/releases/01')).toBe('old')
    for (const id of [above, tagged])
      await expect(approve(id)).rejects.toMatchObject({ code: 'software_proposal_conflict' })
    for (const id of [above, tagged]) await world.software.withdraw('demo', { id, account: 'mika' })
    expect(await world.problems()).toEqual([])
    expect(await world.problems('stable')).toEqual([])
  })

  test('what is refused at once is refused before it is proposed', async () => {
    await expect(world.publish(directory('again'), '/releases/07', { tag: 'stable' })).rejects.toMatchObject({
      code: 'software_tag_exists',
    })
    await expect(
      world.software.rollback(REPOSITORY, 'demo', { revision: 999n, account: 'mika' }),
    ).rejects.toMatchObject({ code: 'software_no_such_revision' })
    await expect(
      world.software.removeTag(REPOSITORY, 'demo', { name: 'never', account: 'mika' }),
    ).rejects.toMatchObject({ code: 'software_no_such_revision' })
    await expect(demand('/elsewhere', false)).rejects.toMatchObject({
      code: 'software_no_such_approval',
      message: expect.stringContaining('but at /releases'),
    })
    expect(await open()).toEqual([])
  })

  test('what was begun before approval was demanded is proposed all the same', async () => {
    const opened = await world.door.open('/late', 'laptop')
    await demand('/late')
    const line = JSON.stringify({ put: { path: '/late', kind: 'directory', mode: 0o755, mtime: 1 } })
    const { Readable } = await import('node:stream')
    const made = await world.door.commit(opened.id, Readable.from([`${line}\n`]), undefined)
    expect(made.proposal?.id).toBe(opened.id)
    await world.software.withdraw('demo', { id: opened.id, account: 'mika' })
    await demand('/late', false)
  })

  test('a proposal expires, and only then is what it brought collected', async () => {
    const usage = async () => (await world.software.describe(REPOSITORY, 'demo')).objects
    const collect = () => world.software.collect(REPOSITORY, 'demo', { keep: 1, account: 'root' })
    await collect()
    const before = await usage()
    const id = await proposed('expiring', '/releases/08')
    const waiting = (await open()).find((one) => one.id === id) as ProposalRow
    await collect()
    expect(await news('/releases/08', waiting.rootHash!)).toBe('expiring')
    const [, , worker] = world.software.workers
    const tick = () => worker!.tick(clock.now(), new AbortController().signal)
    await tick()
    ahead = PROPOSAL_SECONDS * 1000 - 60_000
    await tick()
    expect((await open()).map((one) => one.id)).toEqual([id])
    ahead += 120_000
    await expect(approve(id)).rejects.toThrow('expired')
    await tick()
    expect((await open(true)).find((one) => one.id === id)!.state).toBe('expired')
    expect(world.told.at(-1)!.texts.en.body).toContain('Nobody decided it in time')
    await collect()
    expect(await usage()).toBe(before)
    expect(await world.problems()).toEqual([])
    const [, packs] = world.software.workers
    await packs!.tick(new Date(Date.now() + 2 * 3_600_000), new AbortController().signal)
    expect(await world.storage.list([REPOSITORY, 'proposals'])).toEqual([])
  })
})

import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  REPOSITORY,
  type SoftwareWorld,
  sha256,
  softwareWorld,
  who,
} from '../../test/harness/software-world.ts'
import { chooseKept } from './collect.ts'
import { storedForm } from './format/objects.ts'
import { writePack } from './format/pack.ts'
import { writeChange } from './local/change.ts'
import type { MadeRevision } from './revisions.ts'

const database = testDatabase()
/** KUMI_RUNS: by hand, for longer. */
const RUNS = Number(process.env.KUMI_RUNS ?? 8)
type Tree = Readonly<Record<string, string>>

const names = fc.constantFrom('a', 'b', 'c')
const texts = fc.constantFrom('1', '2', '3', '4')
/** How often each is done. */
const operations = {
  ...{ publish: 5, remove: 2, tag: 2, untag: 1, rollback: 1, collect: 3 },
  // Below /checked somebody else has to approve.
  ...{ propose: 4, approve: 2, reject: 1 },
} as const
const operation = fc.oneof(
  ...Object.entries(operations).map(([name, weight]) => ({
    weight,
    arbitrary: fc.record({ do: fc.constant(name), path: names, file: names, text: texts }),
  })),
)

describe('a collection', () => {
  test('keeps what anybody can reach, whatever was published, proposed, tagged and taken back before', async () => {
    const world = softwareWorld(database)
    try {
      await world.begin()
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 12 }), (operations) =>
          play(world, operations),
        ),
        // What is there is where the next run begins, so a run that failed cannot be made smaller.
        { numRuns: RUNS, endOnFailure: true },
      )
    } finally {
      await world.close()
    }
  }, 600_000)

  test('leaves the newest, the tagged, and those that were the newest a moment ago', () => {
    const at = (hour: number) => new Date(hour * 3_600_000)
    const revisions = [1n, 2n, 3n, 4n, 5n].map((revision, i) => ({ revision, at: at(i) }))
    const kept = (keep: number, since: Date, tagged: bigint[] = []) =>
      chooseKept(revisions, new Set(tagged), { keep, since }).kept
    expect(kept(1, at(100))).toEqual([5n])
    expect(kept(2, at(100), [1n])).toEqual([1n, 4n, 5n])
    expect(kept(1, at(2))).toEqual([3n, 4n, 5n])
    expect(kept(0, at(100))).toEqual([5n])
  })
})

/** What waits for approval, and what the trees are that must not go until it is decided. */
interface Waiting {
  readonly kind: 'publish' | 'rollback' | 'tag'
  readonly path: string
  readonly base: number
  readonly tree: Tree
  readonly name: string
  readonly text: string
  readonly revision: number
}

/** Does what is planned to the repository and to a plain list of trees, and compares after every collection. */
async function play(
  world: SoftwareWorld,
  operations: readonly { do: string; path: string; file: string; text: string }[],
): Promise<void> {
  const { software } = world
  const account = 'mika'
  const approve = (id: string) => software.approve('demo', { id, account: 'aki' })
  await software.setApproval(REPOSITORY, 'demo', { path: '/checked', needed: true, account })
  for (const { id } of await software.proposals('demo', { all: false, limit: 100 }))
    await software.withdraw('demo', { id, account })
  const untag = async (name: string) =>
    approve((await software.removeTag(REPOSITORY, 'demo', { name, account }))!.id)
  for (const { name } of (await software.describe(REPOSITORY, 'demo')).tags) await untag(name)
  const begun = Number((await software.describe(REPOSITORY, 'demo')).revision)
  /** Trees by revision; those before this run are nobody's any more. */
  const trees = new Map<number, Tree>([[begun, await world.contents()]])
  /** Where revisions changed something. */
  const touched: string[] = []
  const tags = new Map<string, number>()
  const dropped = new Set<number>()
  const waiting = new Map<string, Waiting>()
  const now = () => begun + trees.size - 1
  const made = (path: string, tree: Tree) => {
    touched[now() + 1] = path
    trees.set(now() + 1, tree)
  }
  const related = (a: string, b: string) => a === b || a === '' || b === ''
  /** Whoever proposes the same again means the newer one. */
  const wait = (id: string, one: Waiting) => {
    for (const [other, { kind, path, name }] of waiting)
      if (kind === one.kind && path === one.path && (kind !== 'tag' || name === one.name))
        waiting.delete(other)
    waiting.set(id, one)
  }
  for (const { do: what, path, file, text } of operations) {
    const common = { base: now(), tree: trees.get(now())!, name: file, text, revision: now(), path: '' }
    if (what === 'publish' || what === 'remove') {
      const name = `/${path}/${file}`
      const next = { ...trees.get(now())! }
      if (what === 'remove') delete next[name]
      else next[name] = text
      // Half of the objects come with one publication and are used by another, after a collection.
      await publish(world, `/${path}`, name, what === 'remove' ? undefined : text, text === '4')
      made(`/${path}`, next)
    } else if (what === 'propose') {
      const name = `/checked/${path}/${file}`
      const { proposal } = await publish(world, `/checked/${path}`, name, text, text === '4')
      const tree = { ...trees.get(now())!, [name]: text }
      wait(proposal!.id, { ...common, kind: 'publish', path: `/checked/${path}`, tree, name })
    } else if (what === 'tag' && !tags.has(file)) {
      const revision = Math.max(begun, now() - Number(text))
      if (dropped.has(revision)) continue
      const tag = { name: file, revision: BigInt(revision), description: '', account }
      const { id } = (await software.tag(REPOSITORY, 'demo', tag))!
      if (text === '1') wait(id, { ...common, kind: 'tag', tree: trees.get(revision)!, revision })
      else {
        await approve(id)
        tags.set(file, revision)
        for (const [other, { kind, name }] of waiting)
          if (kind === 'tag' && name === file) waiting.delete(other)
      }
    } else if (what === 'untag' && tags.delete(file)) await untag(file)
    else if (what === 'rollback' && tags.has(file)) {
      const revision = tags.get(file)!
      const { id } = (await software.rollback(REPOSITORY, 'demo', { tag: file, account })).proposal!
      wait(id, { ...common, kind: 'rollback', tree: trees.get(revision)!, revision })
      if (text === '1') continue
      await approve(id)
      waiting.delete(id)
      made('', trees.get(revision)!)
    } else if (what === 'reject' || what === 'approve') {
      const [id, one] = [...waiting][Number(text) % Math.max(1, waiting.size)] ?? []
      if (!id || !one) continue
      waiting.delete(id)
      const overtaken = touched.some((at, revision) => revision > one.base && related(at, one.path))
      if (what === 'reject') await software.reject('demo', { id, account: 'aki', reason: 'no' })
      else if (one.kind === 'tag') {
        const taken = tags.has(one.name)
        if (taken) await expect(approve(id)).rejects.toMatchObject({ code: 'software_tag_exists' })
        else tags.set((await approve(id)).tag!, one.revision)
        if (taken) await software.withdraw('demo', { id, account })
      } else if (overtaken) {
        await expect(approve(id)).rejects.toMatchObject({ code: 'software_proposal_conflict' })
        await software.withdraw('demo', { id, account })
      } else {
        await approve(id)
        made(one.path, one.kind === 'rollback' ? one.tree : { ...trees.get(now())!, [one.name]: one.text })
      }
    } else if (what === 'collect') {
      const keep = Number(text)
      const { kept } = await software.collect(REPOSITORY, 'demo', { keep, account })
      for (let revision = begun; revision <= now(); revision++)
        if (!kept.includes(BigInt(revision))) dropped.add(revision)
      const needed = [...waiting.values()].map(({ revision }) => revision)
      for (const revision of [...tags.values(), now(), ...needed]) expect(kept).toContain(BigInt(revision))
      for (const one of world.software.workers)
        await one.tick(new Date(Date.now() + 3_600_000), new AbortController().signal)
      const proposals = await software.proposals('demo', { all: false, limit: 100 })
      expect(proposals.map(({ id }) => id).sort()).toEqual([...waiting.keys()].sort())
      const named = [...tags, ['trunk', now()] as const]
      for (const [name, tree] of [
        ...named.map(([name, revision]) => [name, trees.get(revision)] as const),
        ...proposals.flatMap(({ id, rootHash }) =>
          rootHash ? [[rootHash, waiting.get(id)!.tree] as const] : [],
        ),
      ]) {
        expect(await world.contents(name), `${name} is as it was`).toEqual(tree)
        expect(await world.problems(name)).toEqual([])
      }
    }
  }
  expect(await world.contents()).toEqual(trees.get(now()))
}

async function publish(
  { software }: SoftwareWorld,
  path: string,
  name: string,
  text: string | undefined,
  collectMeanwhile: boolean,
): Promise<MadeRevision> {
  const opened = await software.openPublication({ ...who, repository: REPOSITORY, path })
  if (text === undefined)
    return software.commit(opened.id, Readable.from(`${writeChange({ remove: name })}\n`))
  const bytes = Buffer.from(text)
  const [known] = await software.knownObjects(opened.id, [sha256(bytes)])
  const object = storedForm(bytes, opened.algorithm)
  if (!known) await software.acceptPack(opened.id, writePack([{ ...object, plain: sha256(bytes) }]))
  if (collectMeanwhile) await software.collect(REPOSITORY, 'demo', { keep: 1000, account: 'mika' })
  const entry = { path: name, mode: 0o644, mtime: 1, mtimeNs: 0, size: bytes.length, content: object.hash }
  const line = writeChange({ put: { ...entry, kind: 'file', compression: 'zlib' } })
  return software.commit(opened.id, Readable.from(`${line}\n`))
}

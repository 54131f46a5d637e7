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

const database = testDatabase()
type Tree = Readonly<Record<string, string>>

const names = fc.constantFrom('a', 'b', 'c')
const texts = fc.constantFrom('1', '2', '3', '4')
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('publish' as const), path: names, file: names, text: texts }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('remove' as const), path: names, file: names, text: texts }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('tag' as const), path: names, file: names, text: texts }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('untag' as const), path: names, file: names, text: texts }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('rollback' as const), path: names, file: names, text: texts }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('collect' as const), path: names, file: names, text: texts }),
  },
)

describe('a collection', () => {
  test('keeps what anybody can reach, whatever was published, tagged and taken back before', async () => {
    const world = softwareWorld(database)
    try {
      await world.begin()
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 12 }), (operations) =>
          play(world, operations),
        ),
        // What is there is where the next run begins, so a run that failed cannot be made smaller.
        { numRuns: 8, endOnFailure: true },
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

/** Does what is planned to the repository and to a plain list of trees, and compares after every collection. */
async function play(
  world: SoftwareWorld,
  operations: readonly { do: string; path: string; file: string; text: string }[],
): Promise<void> {
  const { software } = world
  const state = await software.describe(REPOSITORY, 'demo')
  for (const { name } of state.tags) await software.removeTag(REPOSITORY, 'demo', { name, account: 'mika' })
  const begun = Number(state.revision)
  /** Trees by revision; those before this run are nobody's any more. */
  const trees = new Map<number, Tree>([[begun, await world.contents()]])
  const tags = new Map<string, number>()
  const dropped = new Set<number>()
  const account = 'mika'
  const now = () => begun + trees.size - 1
  for (const { do: what, path, file, text } of operations) {
    if (what === 'publish' || what === 'remove') {
      const current = trees.get(now())!
      const name = `/${path}/${file}`
      const next = { ...current }
      if (what === 'remove') delete next[name]
      else next[name] = text
      // Half of the objects come with one publication and are used by another, after a collection.
      await publish(world, path, name, what === 'remove' ? undefined : text, text === '4')
      trees.set(now() + 1, next)
    } else if (what === 'tag' && !tags.has(file)) {
      const revision = Math.max(begun, now() - Number(text))
      if (dropped.has(revision)) continue
      await software.tag(REPOSITORY, 'demo', {
        name: file,
        revision: BigInt(revision),
        description: '',
        account,
      })
      tags.set(file, revision)
    } else if (what === 'untag' && tags.delete(file))
      await software.removeTag(REPOSITORY, 'demo', { name: file, account })
    else if (what === 'rollback' && tags.has(file)) {
      await software.rollback(REPOSITORY, 'demo', { tag: file, account })
      trees.set(now() + 1, trees.get(tags.get(file)!)!)
    } else if (what === 'collect') {
      const keep = Number(text)
      const { kept } = await software.collect(REPOSITORY, 'demo', { keep, account })
      for (let revision = begun; revision <= now(); revision++)
        if (!kept.includes(BigInt(revision))) dropped.add(revision)
      for (const revision of [...tags.values(), now()]) expect(kept).toContain(BigInt(revision))
      for (const one of world.software.workers)
        await one.tick(new Date(Date.now() + 3_600_000), new AbortController().signal)
      for (const [name, revision] of [...tags, ['trunk', now()] as const]) {
        expect(await world.contents(name), `${name} is revision ${revision}`).toEqual(trees.get(revision))
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
): Promise<void> {
  const opened = await software.openPublication({ ...who, repository: REPOSITORY, path: `/${path}` })
  if (text === undefined) {
    await software.commit(opened.id, Readable.from(`${writeChange({ remove: name })}\n`))
    return
  }
  const bytes = Buffer.from(text)
  const [known] = await software.knownObjects(opened.id, [sha256(bytes)])
  const object = storedForm(bytes, opened.algorithm)
  if (!known) await software.acceptPack(opened.id, writePack([{ ...object, plain: sha256(bytes) }]))
  if (collectMeanwhile) await software.collect(REPOSITORY, 'demo', { keep: 1000, account: 'mika' })
  const entry = { path: name, mode: 0o644, mtime: 1, mtimeNs: 0, size: bytes.length, content: object.hash }
  const line = writeChange({ put: { ...entry, kind: 'file', compression: 'zlib' } })
  await software.commit(opened.id, Readable.from(`${line}\n`))
}

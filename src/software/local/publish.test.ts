import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER, parentOf } from '../format/entry.ts'
import { readChange } from './change.ts'
import { besides, byPath, differenceOf, entryLine } from './changes.ts'
import { openSpool } from './spool.ts'
import { type Noted, openStatCache } from './stat-cache.ts'
import { writeStatCache } from './stat-notes.ts'
import { storeContent } from './store-content.ts'
import { walkDirectory } from './walk.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-publish-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Names around the slash, and those of markers. */
const names = fc.constantFrom('a', 'a.c', 'a!', 'b', 'あ', MARKER, AUTOMATIC_MARKER)
const paths = fc
  .array(names, { minLength: 1, maxLength: 3 })
  .map((parts) => `/${parts.join('/')}`)
  .filter((path) => !parentOf(path).includes('.cvmfs'))
/** A tree by path: of every entry its kind, with all directories that it needs. */
const trees = fc
  .array(fc.tuple(paths, fc.constantFrom<Entry['kind']>('fifo', 'directory'), fc.nat(1)))
  .map((list) => {
    const tree = new Map<string, Entry>()
    const entry = (path: string, kind: Entry['kind'], mode: number): Entry => ({
      ...{ path, kind, mode, mtime: 1, mtimeNs: 0, size: 0 },
    })
    for (const [path, kind, mode] of list) {
      for (let above = parentOf(path); above; above = parentOf(above))
        if (tree.get(above)?.kind !== 'directory') tree.set(above, entry(above, 'directory', 0))
      if (tree.get(path)?.kind !== 'directory') tree.set(path, entry(path, kind, mode))
    }
    return tree
  })

async function* listed(tree: ReadonlyMap<string, Entry>) {
  for (const path of [...tree.keys()].sort(byPath)) yield { path, line: entryLine(tree.get(path)!) }
}

test('the lines of a difference make one tree the other, and leave the markers of the grid', async () => {
  await fc.assert(
    fc.asyncProperty(trees, trees, async (before, after) => {
      const made = new Map(before)
      const difference = differenceOf()
      for await (const [was, is] of besides(listed(before), listed(after))) {
        const path = (was ?? is)!.path
        const line = difference.take({ path, before: was?.line, after: is?.line })
        if (line === undefined) continue
        const change = readChange(line, '')
        const gone = 'remove' in change ? change.remove : change.put.kind === 'directory' ? undefined : path
        if (gone) for (const other of [...made.keys()]) if (isWithin(other, gone)) made.delete(other)
        if ('put' in change) made.set(path, change.put)
      }
      const own = (path: string) =>
        before.has(`${parentOf(path)}/${AUTOMATIC_MARKER}`) &&
        path.slice(parentOf(path).length).startsWith('/.cvmfs')
      const expected = new Map(after)
      for (const [path, entry] of before)
        if (
          own(path) &&
          !after.has(path) &&
          (parentOf(path) === '' || after.get(parentOf(path))?.kind === 'directory')
        )
          expected.set(path, entry)
      expect([...made.keys()].sort(byPath)).toEqual([...expected.keys()].sort(byPath))
      for (const [path, entry] of expected) expect(entryLine(made.get(path)!)).toBe(entryLine(entry))
    }),
  )
})

test('a directory is found in the order in which a repository lists it', async () => {
  const top = join(directory, 'order')
  for (const path of ['a/x/1', 'a.c', 'a!/2', 'b/3', 'あ', '\u{1f300}']) {
    mkdirSync(join(top, path, '..'), { recursive: true })
    writeFileSync(join(top, path), '')
  }
  const found = [...(await walkDirectory(top, '/to')).found].map(({ entry }) => entry.path)
  expect(found).toEqual([...found].sort(byPath))
  expect(found).toEqual(
    ['', '/a', '/a/x', '/a/x/1', '/a!', '/a!/2', '/a.c', '/b', '/b/3', '/あ', '/\u{1f300}'].map(
      (path) => `/to${path}`,
    ),
  )
})

test('what was noted of a tree is read again as it was, and half a note is none', () => {
  const file = join(directory, 'notes/koto.tsv')
  const seenAt = Date.now()
  const entries = [
    { path: '', stamp: '1:2', line: '{"put":{}}', changedAt: 0 },
    { path: '/a "b"\n\t\\c', stamp: '3', line: '{"put":{"path":"\\n"}}', changedAt: 0 },
    { path: '/late', stamp: '4', line: '{}', changedAt: seenAt },
    ...Array.from({ length: 9000 }, (_, i) => ({
      ...{ path: `/あ${String(i).padStart(4, '0')}`, stamp: `${i}:5`, line: `{"size":${i}}`, changedAt: 0 },
    })),
  ]
  const write = (keep: boolean) => {
    const notes = writeStatCache(file, seenAt)
    for (const entry of entries) notes.note(entry)
    if (keep) notes.keep({ revision: 7, algorithm: 'sha1' })
    notes.drop()
  }
  write(false)
  expect(openStatCache(file)).toBeUndefined()
  write(true)
  const cache = openStatCache(file)!
  expect(cache).toMatchObject({ revision: 7, algorithm: 'sha1' })
  // What changed while it was looked at is looked at again.
  expect(textOf(cache.entries())).toEqual(
    entries.map(({ path, stamp, line }) => ({ path, line, stamp: path === '/late' ? '' : stamp })),
  )
  cache.close()
  expect(readdirSync(join(directory, 'notes'))).toEqual(['koto.tsv'])
  writeFileSync(file, readFileSync(file).subarray(0, -1))
  expect(openStatCache(file)).toBeUndefined()
})

test('notes of which some were true again are what they would be if all were written anew', () => {
  const file = join(directory, 'notes/again.tsv')
  const named = (i: number, what: string) => ({
    ...{
      path: `/う${String(i).padStart(4, '0')}`,
      stamp: `${i}:${what}`,
      line: `{"${what}":${i}}`,
      changedAt: 0,
    },
  })
  const many = Array.from({ length: 5000 }, (_, i) => i)
  const write = (
    of: (old: Noted | undefined, i: number) => Noted & { changedAt: number },
    revision: number,
  ) => {
    const before = openStatCache(file)
    const old = [...(before?.entries() ?? [])]
    const notes = writeStatCache(file, Date.now(), before)
    const written = many.map((i) => of(old[i], i))
    for (const one of written) notes.note(one)
    notes.keep({ revision, algorithm: 'sha1' })
    notes.drop()
    before?.close()
    const now = openStatCache(file)!
    expect(now.revision).toBe(revision)
    expect(textOf(now.entries())).toEqual(textOf(written))
    now.close()
  }
  const again = (old: Noted | undefined) => ({ ...old!, changedAt: 0 })
  write((_, i) => named(i, 'first'), 1)
  const { ino } = statSync(file)
  write(again, 1)
  expect(statSync(file).ino).toBe(ino)
  write(again, 2)
  write((old, i) => (i % 7 === 0 || i > 4000 ? named(i, 'second') : again(old)), 3)
  write((old, i) => (i === 0 ? named(i, 'third') : again(old)), 4)
  write((old, i) => (i === 4999 ? named(i, 'fourth') : again(old)), 5)
  expect(readdirSync(join(directory, 'notes')).filter((name) => name.includes('.tsv.'))).toEqual([])
})

const textOf = (notes: Iterable<Noted>) => [...notes].map(({ path, stamp, line }) => ({ path, stamp, line }))

test('lines come out as they went in, many or few', async () => {
  for (const count of [0, 3, 40_000]) {
    const spool = openSpool(directory)
    const lines = Array.from({ length: count }, (_, i) => `line ${i} ${'x'.repeat(30)} あ`)
    for (const line of lines) spool.add(line)
    expect(spool.lines).toBe(count)
    // More may come while somebody reads.
    const reading = spool.read().toArray()
    for (const line of lines) {
      if (line.includes('00 ')) await pause()
      spool.add(line)
    }
    spool.end()
    const read = Buffer.concat(await reading).toString('utf8')
    expect(read).toBe([...lines, ...lines].map((line) => `${line}\n`).join(''))
    spool.close()
  }
  expect(readdirSync(directory).filter((name) => name.startsWith('kumi-lines'))).toEqual([])
})

test('whoever reads lines that nobody finishes gets no end', async () => {
  const spool = openSpool(directory)
  spool.add('one')
  const reading = spool.read().toArray()
  await pause()
  spool.close()
  await expect(reading).rejects.toThrow('finished')
})

test('content that becomes other while it is published is not published as what it was', async () => {
  const top = join(directory, 'changing')
  const file = join(top, 'great')
  mkdirSync(top)
  // Read twice: once to be summed, and in pieces to be sent.
  writeFileSync(file, Buffer.alloc(20 << 20, 'x'))
  const found = [...(await walkDirectory(top, '')).found].filter(({ entry }) => entry.kind === 'file')
  const store = {
    known: async () => {
      appendFileSync(file, 'y')
      writeFileSync(file, Buffer.alloc(20 << 20, 'z'))
      utimesSync(file, 1, 1)
      return new Map<string, string>()
    },
    upload: async () => undefined,
  }
  const { batches } = storeContent(
    found.map((unread) => ({ unread, stored: undefined })),
    store,
    { algorithm: 'shake128' },
  )
  const all = async () => {
    for await (const _ of batches);
  }
  await expect(all()).rejects.toMatchObject({ code: 'software_file_changed' })
})

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Looking, lookBelow, oneByOne } from './look.ts'
import { walkDirectory } from './walk.ts'

const { PATH } = process.env
const NAMES = [
  'plain',
  ' two  spaces ',
  'line\nend',
  'back\\slash',
  '"quoted"',
  '*?[a]',
  '-printf',
  'あ\u{1f300}',
]
const DIRECTORIES = ['', 'x', 'x/y', 'x/*?[a] ', 'left/*', 'left/a']
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-look-'))
  for (const inside of DIRECTORIES) {
    mkdirSync(join(directory, inside, 'empty'), { recursive: true })
    for (const name of NAMES) writeFileSync(join(directory, inside, name), name)
  }
  const at = (name: string) => join(directory, name)
  linkSync(at('plain'), at('x/linked'))
  symlinkSync('nowhere', at('x/link'))
  execFileSync('mkfifo', [at('x/pipe')])
  chmodSync(at('x/plain'), 0o4750)
  utimesSync(at('x/y/plain'), -1.5, -1.5)
})
afterEach(() => {
  process.env.PATH = PATH
  rmSync(directory, { recursive: true, force: true })
})

/** All that is seen, but for what the ways of looking word differently. */
function seenBy(looking: Looking, inside = ''): unknown[] {
  return [...looking.into(join(directory, inside))]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ stat, stamp: _, ...one }) => [
      { ...one, in: inside, size: stat().size },
      ...(stat().isDirectory() ? seenBy(looking, join(inside, one.name)) : []),
    ])
}

test('looking at everything at once shows what looking at one directory after the other shows', async () => {
  const below = await lookBelow(directory, new Set())
  expect(below).toBeDefined()
  expect(seenBy(below!)).toEqual(seenBy(oneByOne))
})

test('a stamp changes with the file, and with nothing else', async () => {
  const stamps = async () => {
    const looking = (await lookBelow(directory, new Set()))!
    return new Map([...looking.into(directory)].map(({ name, stamp }) => [name, stamp]))
  }
  const before = await stamps()
  expect(await stamps()).toEqual(before)
  writeFileSync(join(directory, 'plain'), 'niftl')
  chmodSync(join(directory, '"quoted"'), 0o600)
  const after = await stamps()
  expect(
    [...after]
      .filter(([name, stamp]) => before.get(name) !== stamp)
      .map(([name]) => name)
      .sort(),
  ).toEqual(['"quoted"', 'plain'])
})

test('names that are left out are not looked at, whatever they would mean to a program', async () => {
  const looking = (await lookBelow(directory, new Set(['*', '-printf', '*?[a]'])))!
  const names = [...looking.into(directory)].map(({ name }) => name)
  expect(names.sort()).toEqual(
    [...NAMES.filter((name) => !['-printf', '*?[a]'].includes(name)), 'empty', 'left', 'x'].sort(),
  )
  expect([...looking.into(join(directory, 'left'))].map(({ name }) => name)).toEqual(['a'])
})

test('a directory is found without the program, too', async () => {
  const seen = async () =>
    [...(await walkDirectory(directory, '/to')).found].map(({ stamp: _, sum: __, ...one }) => ({
      ...one,
      entry: one.entry,
    }))
  const whole = await seen()
  process.env.PATH = '/nowhere'
  expect(await lookBelow(directory, new Set())).toBeUndefined()
  expect(await seen()).toEqual(whole)
})

test('what becomes something else meanwhile is not published as what it was', async () => {
  const { found } = await walkDirectory(directory, '')
  rmSync(join(directory, 'plain'))
  symlinkSync('nowhere', join(directory, 'plain'))
  const plain = [...found].find(({ path }) => path === '/plain')!
  expect(() => plain.entry).toThrow(/became something else/)
})

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { missing } from '../../../test/harness/foreign.ts'
import { isGridError } from '../../kernel/errors.ts'
import { keptAttributes } from './attributes.ts'
import { addAttributes, readDump } from './read-attributes.ts'
import { walkDirectory } from './walk.ts'

test.skipIf(missing('getfattr', 'setfattr'))(
  'files come with the attributes that mean something elsewhere',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kumi-attributes-'))
    try {
      mkdirSync(join(directory, 'inside'))
      const strange = 'inside/back\\slash\nand line'
      for (const name of ['plain', 'noted', strange]) writeFileSync(join(directory, name), name)
      const set = (file: string, name: string, value: string) =>
        spawnSync('setfattr', ['-n', name, '-v', value, join(directory, file)]).status === 0
      if (!set('noted', 'user.koto', '0x00ff0a')) return console.warn('No attributes on this file system.')
      set('noted', 'user.long', 'x'.repeat(256))
      set('noted', 'user.empty', '')
      set(strange, 'user.a=b', 'yes')
      set('inside', 'user.of', 'a directory')
      const before = [...(await walkDirectory(directory, '')).found]
      const found = [...addAttributes(before)]
      const of = (path: string) => found.find(({ entry }) => entry.path === path)!
      const text = (value: string) => Buffer.from(value).toString('base64')
      expect(of('/noted').entry.xattrs).toEqual({ 'user.koto': 'AP8K', 'user.empty': '' })
      expect(of(`/${strange}`).entry.xattrs).toEqual({ 'user.a=b': text('yes') })
      expect(of('/inside').entry.xattrs).toEqual({ 'user.of': text('a directory') })
      expect(of('/plain')).toEqual(before.find(({ entry }) => entry.path === '/plain'))
      // What was noted of a file without them is no longer true.
      expect(of('/noted').stamp).not.toBe(before.find(({ entry }) => entry.path === '/noted')!.stamp)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

test('attributes are kept when they mean the same on every machine and the format can hold them', () => {
  const of = (name: string, value = 'x') => keptAttributes(new Map([[name, Buffer.from(value)]]))
  expect(of('user.a')).toEqual({ 'user.a': 'eA==' })
  expect(of('security.capability')).toEqual({ 'security.capability': 'eA==' })
  for (const name of ['security.selinux', 'trusted.overlay.opaque', 'system.posix_acl_access'])
    expect(of(name), name).toBeUndefined()
  expect(of('user.a', 'x'.repeat(256))).toBeUndefined()
  expect(of(`user.${'a'.repeat(251)}`)).toBeUndefined()
})

test('whatever getfattr may print is read or refused in words', () => {
  const line = fc.oneof(fc.string(), fc.constantFrom('# file: /a\\134b', 'user.a=0sAA==', 'user.b', ''))
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        readDump(lines.join('\n'))
      } catch (error) {
        if (!isGridError(error)) throw error
      }
    }),
  )
})

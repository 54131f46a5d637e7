import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { adler32, adler32Hex } from '../kernel/adler32.ts'
import type { StorageDriver } from './driver.ts'

async function* pieces(...parts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part
    yield Buffer.from(part)
  }
}

async function textOf(body: Promise<AsyncIterable<Uint8Array>>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of await body) parts.push(part)
  return Buffer.concat(parts).toString()
}

const code = (name: string) => expect.objectContaining({ code: name })
const replace = { overwrite: true }
const keep = { overwrite: false }

/** What every driver promises; `fresh` makes an empty storage for each test. */
export function driverContract(name: string, fresh: () => Promise<StorageDriver>): void {
  describe(`a ${name} storage`, () => {
    test('gives back what was written, whole and in part', async () => {
      const driver = await fresh()
      const written = await driver.write(['a', 'b', 'c'], pieces('hello ', 'world'), { ...keep, size: 11 })
      const bytes = Buffer.from('hello world')
      const md5 = createHash('md5').update(bytes).digest('hex')
      expect(written).toEqual({ size: 11, created: true, adler32: adler32Hex(adler32(bytes)), md5 })
      expect(await textOf(driver.read(['a', 'b', 'c']))).toBe('hello world')
      expect(await textOf(driver.read(['a', 'b', 'c'], { start: 6, end: 8 }))).toBe('wor')
      expect(await driver.digest(['a', 'b', 'c'])).toMatchObject({ adler32: written.adler32 })
      expect(await driver.stat(['a', 'b', 'c'])).toMatchObject({ name: 'c', directory: false, size: 11 })
      expect(await driver.stat(['a', 'b'])).toMatchObject({ directory: true })
      expect(await driver.stat(['a', 'x'])).toBeUndefined()
      expect(await driver.stat(['a', 'b', 'c', 'd'])).toBeUndefined()
    })

    test('holds empty files', async () => {
      const driver = await fresh()
      expect(await driver.write(['empty'], pieces(), { ...keep, size: 0 })).toMatchObject({
        adler32: '00000001',
      })
      expect(await textOf(driver.read(['empty']))).toBe('')
    })

    test('shows nothing of a write that failed', async () => {
      const driver = await fresh()
      const write = (options: object, ...parts: (string | Error)[]) =>
        driver.write(['f'], pieces(...parts), { ...replace, ...options })
      await expect(write({ size: 3 }, 'four')).rejects.toEqual(code('size_mismatch'))
      await expect(write({ size: 9 }, 'four')).rejects.toEqual(code('size_mismatch'))
      await expect(write({ expected: { adler32: '00000001' } }, 'x')).rejects.toEqual(
        code('checksum_mismatch'),
      )
      await expect(write({}, 'x', new Error('broken'))).rejects.toThrow('broken')
      expect(await driver.stat(['f'])).toBeUndefined()
      await write({}, 'good')
      await expect(write({}, 'x', new Error('broken'))).rejects.toThrow('broken')
      expect(await textOf(driver.read(['f']))).toBe('good')
    })

    test('replaces only when told to, also when two write at once', async () => {
      const driver = await fresh()
      const both = await Promise.allSettled([
        driver.write(['f'], pieces('1'), keep),
        driver.write(['f'], pieces('2'), keep),
      ])
      expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
      await expect(driver.write(['f'], pieces('3'), keep)).rejects.toEqual(code('already_exists'))
      expect(await driver.write(['f'], pieces('4'), replace)).toMatchObject({ created: false })
      expect(await textOf(driver.read(['f']))).toBe('4')
      await expect(driver.write(['f', 'g'], pieces('5'), replace)).rejects.toEqual(code('not_a_directory'))
    })

    test('makes, lists and removes directories', async () => {
      const driver = await fresh()
      await driver.makeDirectory(['d'])
      await expect(driver.makeDirectory(['d'])).rejects.toEqual(code('already_exists'))
      await expect(driver.makeDirectory(['no', 'parent'])).rejects.toEqual(code('parent_missing'))
      for (const file of ['z', 'a']) await driver.write(['d', file], pieces(file), keep)
      expect((await driver.list(['d'])).map((entry) => entry.name)).toEqual(['a', 'z'])
      await expect(driver.list(['d', 'a'])).rejects.toEqual(code('not_a_directory'))
      await expect(driver.list(['none'])).rejects.toEqual(code('no_such_file'))
      await expect(driver.read(['d'])).rejects.toEqual(code('is_a_directory'))
      await expect(driver.write(['d'], pieces('x'), replace)).rejects.toEqual(code('is_a_directory'))
      await expect(driver.remove(['d'])).rejects.toEqual(code('directory_not_empty'))
      await driver.remove(['d'], { recursive: true })
      await expect(driver.remove(['d'])).rejects.toEqual(code('no_such_file'))
    })

    test('renames with the checksum, and never onto something unasked', async () => {
      const driver = await fresh()
      const { adler32: sum } = await driver.write(['a'], pieces('one'), keep)
      await driver.write(['b'], pieces('two'), keep)
      await expect(driver.move(['a'], ['b'], keep)).rejects.toEqual(code('already_exists'))
      await expect(driver.move(['none'], ['c'], keep)).rejects.toEqual(code('no_such_file'))
      await driver.move(['a'], ['new', 'place'], keep)
      expect(await driver.digest(['new', 'place'])).toMatchObject({ adler32: sum })
      await driver.move(['new', 'place'], ['b'], replace)
      expect(await textOf(driver.read(['b']))).toBe('one')
      await expect(driver.move(['new'], ['new', 'inside'], keep)).rejects.toEqual(code('bad_path'))
    })

    test('refuses unsafe names', async () => {
      const driver = await fresh()
      for (const bad of ['..', '.', '', 'a/b', 'a\0', 'n'.repeat(256)])
        await expect(driver.write([bad], pieces('x'), replace)).rejects.toEqual(code('bad_path'))
    })
  })
}

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { unpackArchive } from './archive.ts'

describe('an archive', () => {
  let home = ''
  let plain: Buffer
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'kumi-archive-'))
    mkdirSync(join(home, 'made'))
    mkdirSync(join(home, 'back'))
    writeFileSync(join(home, 'made', 'words.txt'), 'hello'.repeat(100_000))
    plain = packedPlain()
  })
  afterEach(() => rmSync(home, { recursive: true, force: true }))

  const packedPlain = () =>
    execFileSync('tar', ['-C', join(home, 'made'), '-cf', '-', 'words.txt'], { maxBuffer: 1 << 30 })
  const unpack = async (bytes: Buffer, format = 'tar.gz') => {
    const file = join(home, 'archive')
    writeFileSync(file, bytes)
    const [directory, mostBytes] = [join(home, 'back'), 64 << 20]
    await unpackArchive(file, format, { tar: ['tar', '-xf', '-'], directory, mostBytes })
    return readFileSync(join(directory, 'words.txt'), 'utf8')
  }

  test('is unpacked also when tar does not read what comes behind its end', async () => {
    for (const padding of [0, 10_240, 8 << 20])
      expect(await unpack(gzipSync(Buffer.concat([plain, Buffer.alloc(padding)])))).toHaveLength(500_000)
  })

  test('packed by bzip2 is unpacked just so', async () => {
    const padded = join(home, 'padded')
    writeFileSync(padded, Buffer.concat([plain, Buffer.alloc(8 << 20)]))
    expect(await unpack(execFileSync('bzip2', ['-c', padded]), 'tar.bz2')).toHaveLength(500_000)
  })

  test('that is cut off, changed, too large or none is refused', async () => {
    const packed = gzipSync(plain)
    const changed = Buffer.from(packed)
    changed[packed.length >> 1]! ^= 0xff
    for (const bytes of [packed.subarray(0, -20), changed, plain, Buffer.from('no archive')])
      await expect(unpack(bytes)).rejects.toThrow()
    writeFileSync(join(home, 'made', 'words.txt'), Buffer.alloc(65 << 20))
    await expect(unpack(gzipSync(packedPlain()))).rejects.toMatchObject({
      message: expect.stringMatching(/more than 64 MiB/),
    })
  })
})

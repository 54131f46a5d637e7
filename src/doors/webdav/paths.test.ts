import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isGridError } from '../../kernel/errors.ts'
import { responseElement } from './multistatus.ts'
import { encodePath, parseRange, segmentsOfTarget } from './paths.ts'

function segments(target: string): string[] | undefined {
  try {
    return segmentsOfTarget(target)
  } catch (error) {
    if (!isGridError(error, 'bad_path')) throw error
    return undefined
  }
}

test('a request target is safe segments or refused', () => {
  const part = fc.constantFrom(
    '..',
    '.',
    '%2e%2e',
    '%2F',
    '%00',
    '%',
    '%c3%28',
    'a',
    'ü',
    '//',
    '\\',
    '%5c',
    '?',
    '#',
  )
  const target = fc.oneof(
    fc.string(),
    fc.array(part).map((parts) => `/${parts.join('/')}`),
    fc.array(part).map((p) => `/${p.join('')}`),
  )
  fc.assert(
    fc.property(target, (text) => {
      for (const name of segments(text) ?? []) {
        expect(name).not.toMatch(/[/\0]/)
        expect(['', '.', '..']).not.toContain(name)
      }
    }),
  )
})

test('a path that is encoded and read again is the same path', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), (path) => {
      const read = segments(encodePath(path))
      if (read) expect(read).toEqual(path)
    }),
  )
})

test('a range lies inside the file', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.option(fc.nat(300)), fc.option(fc.nat(300))).map(([a, b]) => `bytes=${a ?? ''}-${b ?? ''}`),
    fc.constantFrom('bytes=0-99999999999999999999999', 'bytes=-0', 'bytes=1-0', 'bytes=0-1,3-4', 'bytes=--1'),
  )
  fc.assert(
    fc.property(header, fc.nat(200), (text, size) => {
      const range = parseRange(text, size)
      if (!range) return
      expect(0 <= range.start && range.start <= range.end && range.end < size).toBe(true)
    }),
  )
})

test('names cannot break out of a listing', () => {
  const name = fc.oneof(
    fc.string(),
    fc.constantFrom('</D:href>', '"&<>', ']]>', '\u0000', '\u0008', '\ud800'),
  )
  fc.assert(
    fc.property(name, (text) => {
      const modified = new Date(0)
      const xml = responseElement(`/demo/${encodeURIComponent(Buffer.from(text).toString())}`, {
        ...{ name: text, directory: false, size: 1, modified },
      })
      expect(xml.match(/<D:href>/g)).toHaveLength(1)
      expect(xml.match(/<[^>]*>/g)).toHaveLength(xml.split('<').length - 1)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that XML forbids
      expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/)
    }),
  )
})

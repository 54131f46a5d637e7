import { expect, test } from 'vitest'
import { endOf } from './time-options.ts'

const noon = new Date('2026-12-01T12:00:00Z')
const end = (options: Parameters<typeof endOf>[1]) => endOf(noon, options, 'A downtime')

test('an end is given as a length or as a time with its zone, and never as both or neither', () => {
  expect(end({ hours: '1.5' })).toEqual(new Date('2026-12-01T13:30:00Z'))
  expect(end({ until: '2026-12-02T09:00+09:00' })).toEqual(new Date('2026-12-02T00:00:00Z'))
  for (const wrong of [
    {},
    { hours: '1', until: '2026-12-02T09:00Z' },
    { hours: '-1' },
    { until: '2026-12-02T09:00' },
  ])
    expect(() => end(wrong)).toThrow(expect.objectContaining({ code: 'bad_option' }))
})

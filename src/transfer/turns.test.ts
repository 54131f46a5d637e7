import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTurns } from './turns.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))
const never = () => new AbortController().signal

describe('turns on links', () => {
  test('are given first come, first served, as many as the link has room for', async () => {
    let room = 2
    const turns = createTurns(() => room, 10)
    const order: number[] = []
    for (const i of [1, 2, 3, 4, 5]) void turns.take('a', never()).then(() => order.push(i))
    await settled()
    expect([order, turns.waiting('a')]).toEqual([[1, 2], 3])
    turns.end('a')
    await settled()
    expect(order).toEqual([1, 2, 3])
    room = 4
    turns.look()
    await settled()
    expect([order, turns.waiting('a')]).toEqual([[1, 2, 3, 4, 5], 0])
    room = 1
    turns.end('a')
    void turns.take('a', never()).then(() => order.push(6))
    await settled()
    expect(turns.waiting('a')).toBe(1)
  })

  test('of one link do not wait for another that is full', async () => {
    const turns = createTurns(() => 1, 10)
    await turns.take('a', never())
    void turns.take('a', never())
    await turns.take('b', never())
    expect([turns.waiting('a'), turns.waiting('b')]).toEqual([1, 0])
  })

  test('are left by who gives up, with the reason', async () => {
    const turns = createTurns(() => 1, 10)
    await turns.take('a', never())
    const gone = new AbortController()
    const waits = turns.take('a', gone.signal)
    const after = turns.take('a', never())
    gone.abort(new Error('the lease was lost'))
    await expect(waits).rejects.toThrow('the lease was lost')
    await expect(turns.take('a', gone.signal)).rejects.toThrow('the lease was lost')
    turns.end('a')
    await after
  })

  test('are never more than the room of a link and the limit of all, and none is forgotten', async () => {
    const link = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.record({ take: link }),
      fc.record({ end: link }),
      fc.record({ room: link, to: fc.integer({ min: 1, max: 4 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const rooms: Record<string, number> = { a: 2, b: 2, c: 2 }
        const most = 4
        const turns = createTurns((name) => rooms[name]!, most)
        const running: Record<string, number> = { a: 0, b: 0, c: 0 }
        let wanted = 0
        let ended = 0
        for (const each of steps) {
          const before = { ...running }
          if ('take' in each) {
            wanted++
            void turns.take(each.take, never()).then(() => running[each.take]!++)
          } else if ('end' in each) {
            if (running[each.end] === 0) continue
            running[each.end]!--
            ended++
            turns.end(each.end)
          } else {
            rooms[each.room] = each.to
            turns.look()
          }
          await settled()
          const all = Object.values(running).reduce((sum, n) => sum + n, 0)
          expect(all).toBeLessThanOrEqual(most)
          for (const name of ['a', 'b', 'c'])
            if (running[name]! > before[name]!) expect(running[name]).toBeLessThanOrEqual(rooms[name]!)
          const wait = ['a', 'b', 'c'].map((name) => turns.waiting(name))
          expect(all + wait.reduce((sum, n) => sum + n, 0) + ended).toBe(wanted)
          for (const [i, name] of ['a', 'b', 'c'].entries())
            if (wait[i]! > 0) expect(all === most || running[name]! >= rooms[name]!).toBe(true)
        }
      }),
    )
  })
})

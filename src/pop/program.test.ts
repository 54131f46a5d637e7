import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing } from '../../test/harness/foreign.ts'
import { everything, gatewayWorld } from '../../test/harness/gateway-world.ts'

let world: Awaited<ReturnType<typeof gatewayWorld>>
beforeAll(async () => {
  world = await gatewayWorld(['solo'])
})
afterAll(() => world.close())

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await delay(10)
}

describe.skipIf(missing('curl'))('the gateway as a program', () => {
  test('opens its door while the server is away and takes tokens as soon as the server is there', async () => {
    const [site] = world.sites
    const child = await world.startProgram(site!)
    const token = await world.mint(everything)
    const ask = () => world.curl({ token }, '-I', site!.url('/'))
    expect((await ask())[0]).toBe(503)
    await world.openIssuer()
    expect((await ask())[0]).toBe(200)
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await gone).toEqual([0, null])
  })

  test('ends when the program that started it is gone', async () => {
    const child = await world.startProgram(world.sites[0]!)
    const gone = once(child, 'exit')
    child.disconnect()
    expect(await gone).toEqual([0, null])
  })

  test('serves tokens with the keys it knew when it is started without a server', async () => {
    world.closeIssuer()
    const [site] = world.sites
    const child = await world.startProgram(site!)
    expect((await world.curl(everything, '-I', site!.url('/')))[0]).toBe(200)
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  })

  test('removes what an upload left when it was killed in the middle', async () => {
    const [site] = world.sites
    const child = await world.startProgram(site!)
    const incoming = join(site!.area, '.kumi/incoming')
    const upload = request(site!.url('/half'), {
      ...{ method: 'PUT', ca: readFileSync(world.ca), family: 4, agent: false },
      headers: { authorization: `Bearer ${await world.mint(everything)}`, 'content-length': 10_000_000 },
    })
    upload.on('error', () => undefined)
    upload.write(Buffer.alloc(3_000_000, 1))
    await until(() => readdirSync(incoming).length > 0)
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    upload.destroy()
    expect(readdirSync(incoming)).toHaveLength(1)
    await world.startProgram(site!)
    expect(readdirSync(incoming)).toEqual([])
    expect(existsSync(join(site!.area, 'half'))).toBe(false)
  })
})

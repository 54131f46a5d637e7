import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Connections, openConnections } from './connections.ts'

let server: Server
let connections: Connections
let answer: (asked: IncomingMessage, to: ServerResponse) => unknown
let connected = 0
const target = (path = '/') => new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
const get = { method: 'GET', headers: {}, patienceMs: 60_000 }

beforeEach(async () => {
  server = createServer((asked, to) => void answer(asked, to)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  connected = 0
  server.on('connection', () => connected++)
  connections = openConnections({ home: '/nowhere', server: target().href, vo: 'demo' })
})
afterEach(() => {
  connections.close()
  server.closeAllConnections()
  server.close()
})

describe('a connection of the command line', () => {
  test('serves one request after the other, and says how long what it sends is', async () => {
    answer = async (asked, to) =>
      to.end(`${asked.method} ${asked.headers['content-length']} ${await text(asked)}`)
    const said: string[] = []
    for (const method of ['POST', 'DELETE', 'PUT'])
      said.push(await text((await connections.request(target(), { ...get, method, body: 'käse' })).body))
    expect(said).toEqual(['POST 5 käse', 'DELETE 5 käse', 'PUT 5 käse'])
    expect(connected).toBe(1)
  })

  test('sends what is not there yet as it comes', async () => {
    answer = async (asked, to) => to.end(await text(asked))
    const body = Readable.from(['one ', 'two ', 'three'])
    expect(await text((await connections.request(target(), { ...get, method: 'PUT', body })).body)).toBe(
      'one two three',
    )
  })

  test('hears why what it still sends is refused', async () => {
    answer = (asked, to) => {
      to.writeHead(409).end('no')
      asked.resume()
    }
    let wanted = true
    const body = Readable.from(
      (async function* () {
        while (wanted) yield await new Promise<string>((resolve) => setImmediate(resolve, 'more\n'))
      })(),
    )
    const refused = await connections.request(target(), { ...get, method: 'POST', body })
    expect([refused.status, await text(refused.body)]).toEqual([409, 'no'])
    wanted = false
  })

  test('breaks off when what is sent cannot be read', async () => {
    let seen: Promise<unknown> | undefined
    answer = (asked) => {
      seen = text(asked).catch((error: unknown) => error)
    }
    const body = Readable.from(
      (async function* () {
        yield 'half'
        while (!seen) await new Promise((resolve) => setImmediate(resolve))
        throw new Error('the disk is gone')
      })(),
    )
    await expect(connections.request(target(), { ...get, method: 'PUT', body })).rejects.toThrow(
      'the disk is gone',
    )
    expect(await seen).toBeInstanceOf(Error)
  })

  test('ends with the reason of whoever interrupts, before an answer and within it', async () => {
    const controller = new AbortController()
    const asked = { ...get, signal: controller.signal }
    answer = (_, to) => to.write('first')
    const begun = await connections.request(target(), asked)
    answer = () => controller.abort(new Error('interrupted'))
    await expect(connections.request(target(), asked)).rejects.toThrow('interrupted')
    await expect(text(begun.body)).rejects.toThrow('interrupted')
    await expect(connections.request(target(), asked)).rejects.toThrow('interrupted')
  })

  test('gives a server up that says nothing, or breaks off', async () => {
    answer = () => undefined
    await expect(connections.request(target(), { ...get, patienceMs: 50 })).rejects.toMatchObject({
      code: 'server_unreachable',
      message: expect.stringContaining('ETIMEDOUT'),
    })
    answer = (asked) => asked.socket.destroy()
    await expect(connections.request(target(), get)).rejects.toMatchObject({ code: 'server_unreachable' })
    answer = (_, to) => {
      to.writeHead(200, { 'content-length': '10' })
      to.write('half', () => to.destroy())
    }
    await expect(text((await connections.request(target(), get)).body)).rejects.toMatchObject({
      code: 'ECONNRESET',
    })
  })
})

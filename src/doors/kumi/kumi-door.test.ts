import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type Authenticator, createHttp, type Http, routeInventory } from '../../http/index.ts'
import { anonymous } from '../../identity/index.ts'
import { publish, sql, systemClock, transaction, type Wakeups } from '../../kernel/index.ts'
import { registerKumiDoor } from './index.ts'

const everybody: Authenticator = {
  verify: async () => ({
    ...anonymous,
    kind: 'user',
    account: 'sato',
    accountId: 1,
    vo: 'demo',
    attributes: { admin: 'True' },
  }),
  authorize: () => undefined,
}

describe('the door for what has no standard', () => {
  const database = testDatabase()
  let http: Http
  let url = ''
  const woken = new Set<() => void>()
  const wakeups: Wakeups = {
    on: (_topics, callback) => {
      woken.add(callback)
      return () => woken.delete(callback)
    },
    close: async () => undefined,
  }
  const headers = { authorization: 'Bearer x' }

  beforeAll(async () => {
    http = createHttp({
      identity: everybody,
      audience: ['x'],
      log: pino({ level: 'silent' }),
      clock: systemClock,
      port: 0,
    })
    await registerKumiDoor(http.app, {
      db: database.db,
      wakeups,
      clock: systemClock,
      vo: 'demo',
      version: '0.0.0',
      issuerBase: 'https://localhost/iam',
      consoleDirectory: '/nowhere',
    })
    const { port } = await http.listen()
    url = `http://127.0.0.1:${port}`
  })
  afterAll(() => http?.close())

  test('an empty grid answers every question with an empty picture', async () => {
    for (const path of [
      'sites',
      'now',
      'transfers',
      'transfers?state=failed',
      'transfers/matrix',
      'rules',
      'me',
      'grid',
    ]) {
      const answer = await fetch(`${url}/kumi/v1/${path}`, { headers })
      expect([path, answer.status]).toEqual([path, 200])
    }
    expect(await (await fetch(`${url}/kumi/v1/me`, { headers })).json()).toEqual({
      account: 'sato',
      vo: 'demo',
      admin: true,
    })
    expect(
      (await fetch(`${url}/kumi/v1/rules/00000000-0000-4000-8000-00000000000f/explain`, { headers })).status,
    ).toBe(404)
    expect((await fetch(`${url}/kumi/v1/rules?state=nonsense`, { headers })).status).toBe(400)
  })

  test('the OpenAPI document names every route', async () => {
    const document = (await (await fetch(`${url}/kumi/v1/openapi.json`)).json()) as {
      openapi: string
      paths: object
    }
    const routes = routeInventory(http.app)
      .filter(
        ({ method, url: path }) =>
          method === 'GET' && path.startsWith('/kumi/v1') && !path.endsWith('openapi.json'),
      )
      .map(({ url: path }) => path.replace(/:(\w+)/g, '{$1}'))
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths).sort()).toEqual(routes.sort())
  })

  test('an event of the own VO reaches a listening console, and a reconnect goes on where it was', async () => {
    const tell = (subject: string, vo = 'demo') =>
      transaction(database.db, (tx) => publish(tx, new Date(), [{ vo, kind: 'rule.ok', subject }]))
    await sql`select 1`.execute(database.db)
    const hear = async (until: string, from?: string): Promise<string> => {
      const stop = new AbortController()
      const answer = await fetch(`${url}/kumi/v1/events`, {
        headers: { ...headers, ...(from && { 'last-event-id': from }) },
        signal: stop.signal,
      })
      let heard = ''
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        heard += chunk
        if (heard.includes('hello') && !from && !heard.includes(until)) {
          await tell('foreign', 'other')
          await tell(until)
          for (const callback of woken) callback()
        }
        if (heard.includes(until)) break
      }
      stop.abort()
      return heard
    }
    const first = await hear('first')
    expect(first).not.toContain('foreign')
    await tell('second')
    const position = [...first.matchAll(/id: (\S+)/g)].at(-1)![1]!
    expect(await hear('second', position)).not.toContain('first')
  })
})

import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRseTable } from '../../src/catalog/index.ts'
import {
  canonicalRucioUrl,
  type RucioDoorDeps,
  registerRucioDoor,
  rucioEndpoints,
} from '../../src/doors/rucio/index.ts'
import { createHttp, type Http, routeInventory } from '../../src/http/index.ts'
import { anonymous, type Identity } from '../../src/identity/index.ts'
import { GridError } from '../../src/kernel/errors.ts'
import { silentLogger, systemClock, systemPorts } from '../../src/kernel/index.ts'
import { testDatabase } from '../harness/database.ts'

const database = testDatabase()
let http: Http | undefined
let app: FastifyInstance

/** Nobody may do anything: enough for the calls that need no leave, and for the refusals. */
const nobody = {
  verify: async () => anonymous,
  authorize: () => {
    throw new GridError({ code: 'denied', kind: 'denied', message: 'Not allowed.' })
  },
} as unknown as Identity

beforeAll(async () => {
  const log = silentLogger
  http = createHttp({
    identity: nobody,
    audience: ['test'],
    log,
    clock: systemClock,
    port: 0,
    rewriteUrl: (url) => canonicalRucioUrl(url),
  })
  app = http.app
  await registerRucioDoor(app, {
    db: database.db,
    clock: systemClock,
    ids: systemPorts.ids,
    log,
    identity: nobody,
    rses: createRseTable(database.db),
    placement: {} as RucioDoorDeps['placement'],
    verifyArrivals: async () => undefined,
    version: '41.0.0',
    defaultVo: 'demo',
  })
  await app.ready()
})
afterAll(() => http?.close())

describe('the data management door', () => {
  test('every endpoint is registered with its action', () => {
    const routes = routeInventory(app).map(({ method, url, action }) => `${method} ${url} ${action}`)
    for (const { method, path, action } of rucioEndpoints) {
      expect(routes).toContain(`${method} /rucio${path} ${action}`)
    }
  })
  test('answers a ping without a token, with the bare content type', async () => {
    const answer = await app.inject({ url: '/rucio/ping/' })
    expect([answer.statusCode, answer.headers['content-type'], answer.json()]).toEqual([
      200,
      'application/json',
      { version: '41.0.0' },
    ])
  })
  test('a path it does not have is answered in its own words', async () => {
    const answer = await app.inject({ url: '/rucio/nothing/here' })
    expect([answer.statusCode, answer.headers.exceptionclass]).toEqual([404, 'RucioException'])
    expect((await app.inject({ url: '/nothing' })).headers.exceptionclass).toBeUndefined()
  })
  test('takes a trace that declares no content type', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: '/rucio/traces/',
      payload: '{"eventType": "get"}',
      headers: {},
    })
    expect(answer.statusCode).toBe(201)
  })
  test('refuses logins it does not offer in the words of the client', async () => {
    const answer = await app.inject({ url: '/rucio/auth/x509' })
    expect(answer.statusCode).toBe(401)
    expect(answer.headers.exceptionclass).toBe('CannotAuthenticate')
    expect(answer.json()).toMatchObject({ ExceptionClass: 'CannotAuthenticate' })
  })
  test('an anonymous caller of a protected endpoint gets the exception of the client', async () => {
    for (const url of ['/rucio/accounts/whoami', '/rucio/dids/s//a/b/meta', '/rucio/rses/']) {
      const answer = await app.inject({ url })
      expect([401, 403]).toContain(answer.statusCode)
      expect(answer.json()).toHaveProperty('ExceptionClass')
    }
  })
  test('a broken body is the caller’s error', async () => {
    const answer = await app.inject({ method: 'POST', url: '/rucio/traces', payload: '{' })
    expect([answer.statusCode, answer.headers.exceptionclass]).toEqual([400, 'InputValidationError'])
  })
})

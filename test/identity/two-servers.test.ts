import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../harness/database.ts'
import { becomes, type ServerProcesses, serverProcesses } from '../harness/server-processes.ts'

/** Shorter than anything a process keeps in mind by itself: only the news of the change can be as quick. */
const AT_ONCE_MS = 1000

describe('two server processes on one database', () => {
  const database = testDatabase()
  let servers: ServerProcesses
  const ask: ServerProcesses['ask'] = (...args) => servers.ask(...args)
  const login: ServerProcesses['login'] = (...args) => servers.login(...args)

  /** A login that goes on: by device code, approved in the session of the cookie. */
  const refreshable = async (cookie: string): Promise<{ refresh_token: string }> => {
    const form = { client_id: 'kumi-cli', scope: 'grid offline_access' }
    const codes = JSON.parse((await ask(1, 'POST', '/iam/demo/devicecode', { form })).text)
    const json = { user_code: codes.user_code, decision: 'approve' }
    const agreed = await ask(1, 'POST', '/iam/demo/interaction/device/answer', { cookie, json })
    expect(agreed.status).toBe(204)
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    const grant = { grant_type, client_id: 'kumi-cli', device_code: codes.device_code }
    return JSON.parse((await ask(1, 'POST', '/iam/demo/token', { form: grant })).text)
  }

  beforeAll(async () => {
    servers = await serverProcesses(database.url, { count: 2 })
  }, 120_000)
  afterAll(() => servers?.close())

  test('a suspension at one of them is felt at the other at once, as is its end', {
    timeout: 60_000,
  }, async () => {
    const user = { userName: 'mika', name: { givenName: 'Mika', familyName: 'Sato' } }
    expect((await ask(0, 'POST', '/scim/Users', { token: servers.admin, json: user })).status).toBe(201)
    const password = 'a long enough word'
    const identity = { identity: 'mika', authtype: 'USERPASS', password, email: '' }
    const added = await ask(1, 'POST', '/rucio/accounts/mika/identities', {
      token: servers.admin,
      json: identity,
    })
    expect(added.status).toBe(201)
    const { token } = await login(1, 'mika', password)
    const begun = await ask(1, 'POST', '/iam/demo/session', { json: { username: 'mika', password } })
    const cookie = String(begun.headers['set-cookie']).split(';')[0]!
    const doors = async () => [
      (await ask(1, 'GET', '/rucio/accounts/whoami', { token })).status,
      (await ask(1, 'GET', '/iam/demo/session', { cookie })).status,
    ]
    const change = (verb: string) =>
      ask(0, 'POST', `/kumi/v1/people/mika/${verb}`, { token: servers.admin, json: { reason: 'a test' } })
    for (let round = 0; round < 3; round++) {
      // Asked just before, so that the other process has the old answer in mind.
      expect(await doors()).toEqual([200, 200])
      expect((await change('suspend')).status).toBe(200)
      expect((await becomes(doors, [403, 401], AT_ONCE_MS)).value).toEqual([403, 401])
      expect((await login(1, 'mika', password)).status).toBe(400)
      expect((await change('restore')).status).toBe(200)
      expect((await becomes(doors, [200, 200], AT_ONCE_MS)).value).toEqual([200, 200])
    }
    let { refresh_token: kept } = await refreshable(cookie)
    const refresh = async () => {
      const form = { grant_type: 'refresh_token', client_id: 'kumi-cli', refresh_token: kept }
      const { status, text } = await ask(1, 'POST', '/iam/demo/token', { form })
      if (status === 200) kept = JSON.parse(text).refresh_token ?? kept
      return status
    }
    expect(await refresh()).toBe(200)
    expect((await change('suspend')).status).toBe(200)
    expect((await becomes(refresh, 400, AT_ONCE_MS)).value).toBe(400)
  })
})

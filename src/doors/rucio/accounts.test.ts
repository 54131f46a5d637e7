import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { createRseTable } from '../../catalog/index.ts'
import { createHttp, type Http } from '../../http/index.ts'
import type { Identity } from '../../identity/index.ts'
import { silentLogger, systemClock, systemPorts } from '../../kernel/index.ts'
import { canonicalRucioUrl, type RucioDoorDeps, registerRucioDoor } from './index.ts'

describe('accounts at the data management door', () => {
  const database = testDatabase()
  let identity: Identity
  let http: Http
  const tokens: Record<string, string> = {}
  const ask = (who: string, method: string, path: string, payload?: object) =>
    http.app.inject({
      method: method as 'GET',
      url: `/rucio${path}`,
      headers: { 'x-rucio-auth-token': tokens[who]! },
      ...(payload && { payload }),
    })

  beforeAll(async () => {
    identity = await testIdentity(database, systemClock)
    for (const name of ['admin', 'mika', 'noa']) {
      const [account] = await identity.createAccounts([{ vo: 'demo', name, email: `${name}@example.org` }])
      if (name === 'admin') await identity.setAttributes(account!.id, { admin: 'true' })
      tokens[name] = (await identity.mintForAccount(account!.id)).token
    }
    const common = { db: database.db, clock: systemClock, ids: systemPorts.ids, log: silentLogger, identity }
    http = createHttp({ ...common, audience: [], port: 0, rewriteUrl: canonicalRucioUrl })
    await registerRucioDoor(http.app, {
      ...common,
      rses: createRseTable(database.db),
      placement: {} as RucioDoorDeps['placement'],
      verifyArrivals: async () => undefined,
      version: '0.0.0',
      defaultVo: 'demo',
    })
    await http.app.ready()
  })
  afterAll(() => http?.close())

  test('everybody sees who there is; addresses are for their owners and administrators', async () => {
    const addresses = async (who: string) =>
      (await ask(who, 'GET', '/accounts/')).body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).email)
    expect(await addresses('admin')).toEqual(['admin', 'mika', 'noa'].map((name) => `${name}@example.org`))
    expect(await addresses('mika')).toEqual([null, 'mika@example.org', null])
    const one = async (who: string) => (await ask(who, 'GET', '/accounts/noa')).json().email
    expect([await one('admin'), await one('mika'), await one('noa')]).toEqual([
      'noa@example.org',
      null,
      'noa@example.org',
    ])
  })

  test('what is changed there is in the audit log under the name of who did it', async () => {
    expect((await ask('mika', 'PUT', '/accounts/noa', { status: 'SUSPENDED' })).statusCode).toBe(403)
    expect((await ask('admin', 'PUT', '/accounts/noa', { status: 'PENDING' })).statusCode).toBe(400)
    expect((await ask('admin', 'PUT', '/accounts/noa', { status: 'SUSPENDED' })).statusCode).toBe(200)
    expect((await ask('admin', 'POST', '/accounts/noa/attr/team', { value: 'red' })).statusCode).toBe(201)
    const log = await identity.auditLog('demo', { target: 'noa', actor: 'admin' })
    expect(log.map(({ action }) => action)).toEqual(['account.attributes_set', 'account.suspended'])
  })
})

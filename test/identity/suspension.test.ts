import { generateKeyPairSync } from 'node:crypto'
import { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCertificates } from '../../src/identity/x509/certificate.ts'
import { writeCsr } from '../../src/identity/x509/csr.ts'
import { nameFromSlash } from '../../src/identity/x509/names.ts'
import { makeProxy, proxyFile } from '../../src/identity/x509/proxy.ts'
import { spkiOf } from '../../src/identity/x509/signatures.ts'
import { testDatabase } from '../harness/database.ts'
import { becomes, type ServerProcesses, serverProcesses } from '../harness/server-processes.ts'

const PASSWORD = 'a long enough word'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
/** Far more than the second it should take, for a machine under load; the time it took is printed. */
const MOST_MS = 10_000

describe('whoever is suspended at one server process', () => {
  const database = testDatabase()
  let grid: ServerProcesses
  let door = ''
  const agents: Agent[] = []
  const post = (path: string, json: object) => grid.ask(0, 'POST', path, { token: grid.admin, json })

  /** Everything somebody can hold, each with a way to use it elsewhere than at the process that suspends. */
  const holdings = async (name: string): Promise<Record<string, () => Promise<number>>> => {
    await post('/scim/Users', { userName: name, name: { givenName: name, familyName: 'Test' } })
    const identity = { identity: name, authtype: 'USERPASS', password: PASSWORD, email: '' }
    await post(`/rucio/accounts/${name}/identities`, identity)
    const found = await grid.ask(0, 'GET', `/kumi/v1/people/${name}/id`, { token: grid.admin })
    const paper = `/iam/demo/iam/aup/signature/${JSON.parse(found.text).id}`
    await grid.ask(0, 'PATCH', paper, { token: grid.admin, json: {} })

    const begun = await grid.ask(1, 'POST', '/iam/demo/session', {
      json: { username: name, password: PASSWORD },
    })
    const cookie = String(begun.headers['set-cookie']).split(';')[0]!
    const { token } = await grid.login(1, name, PASSWORD)
    const read = (await grid.login(1, name, PASSWORD, 'storage.read:/')).token
    const codes = JSON.parse(
      (
        await grid.ask(1, 'POST', '/iam/demo/devicecode', {
          form: { client_id: 'kumi-cli', scope: 'grid offline_access' },
        })
      ).text,
    )
    const agreed = { user_code: codes.user_code, decision: 'approve' }
    await grid.ask(1, 'POST', '/iam/demo/interaction/device/answer', { cookie, json: agreed })
    const form = { grant_type: DEVICE, client_id: 'kumi-cli', device_code: codes.device_code }
    const given = JSON.parse((await grid.ask(1, 'POST', '/iam/demo/token', { form })).text)
    let refresh = String(given.refresh_token)

    const own = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const csr = writeCsr(own, nameFromSlash('/O=Kumihimo/CN=request'))
    const issued = await grid.ask(0, 'POST', '/iam/demo/certificates/issue', { token, json: { csr } })
    const [certificate] = readCertificates(JSON.parse(issued.text).certificate)
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const signer = { certificate: certificate!, key: own }
    const proxy = makeProxy({ signer, spki: spkiOf(key), hours: 1, now: new Date() })
    const file = proxyFile(proxy, key, [certificate!])
    const as = new Agent({ connect: { ca: grid.ca, cert: file, key: file } })
    const bare = new Agent({
      connect: {
        ca: grid.ca,
        cert: JSON.parse(issued.text).certificate,
        key: own.export({ format: 'pem', type: 'pkcs8' }),
      },
    })
    agents.push(as, bare)
    const status = async (...asked: Parameters<ServerProcesses['ask']>) => (await grid.ask(...asked)).status
    return {
      'an access token': () => status(1, 'GET', '/kumi/v1/me', { token }),
      'an access token at a gateway': () => status(1, 'GET', `${door}/demo/`, { token: read }),
      'an access token of a longer login': () =>
        status(1, 'GET', '/kumi/v1/me', { token: given.access_token }),
      'a refresh token': async () => {
        const again = { grant_type: 'refresh_token', client_id: 'kumi-cli', refresh_token: refresh }
        const { status: code, text } = await grid.ask(1, 'POST', '/iam/demo/token', { form: again })
        if (code === 200) refresh = JSON.parse(text).refresh_token ?? refresh
        return code
      },
      'a session': () => status(1, 'GET', '/iam/demo/session', { cookie }),
      'a proxy': () => status(1, 'GET', '/kumi/v1/me', { as }),
      'a proxy at a gateway': () => status(1, 'GET', `${door}/demo/`, { as }),
      'the delegation of a proxy': () => status(1, 'GET', '/delegation', { as }),
      'attributes of VOMS': () =>
        status(1, 'GET', `${grid.voms[1]}/generate-ac?fqans=/demo&lifetime=3600`, { as: bare }),
      'the password': async () => (await grid.login(1, name, PASSWORD)).status,
    }
  }

  beforeAll(async () => {
    grid = await serverProcesses(database.url, { count: 2, empty: false, voms: true })
    door = await grid.gateway('kek')
  }, 120_000)
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.close()))
    await grid?.close()
  })

  test('is refused with everything they hold at the other one and at a gateway, soon, and let in again after', {
    timeout: 120_000,
  }, async () => {
    const held = await holdings('nori')
    const names = Object.keys(held)
    const look = async () =>
      Object.fromEntries(
        await Promise.all(names.map(async (name): Promise<[string, number]> => [name, await held[name]!()])),
      )
    const good = Object.fromEntries(names.map((name) => [name, 200]))
    // Asked just before, so that everybody has the old answer in mind.
    expect(await look()).toEqual(good)
    const begun = performance.now()
    expect((await post('/kumi/v1/people/nori/suspend', { reason: 'a test' })).status).toBe(200)
    const answered = performance.now() - begun
    const delays = await Promise.all(
      names.map(async (name) => {
        const over = async () => (await held[name]!()) >= 400
        const { value } = await becomes(over, true, MOST_MS)
        expect([name, value]).toEqual([name, true])
        return `${name} ${Math.round(performance.now() - begun - answered)} ms`
      }),
    )
    console.info(`refused after the answer to the suspension: ${delays.join(', ')}`)
    // Nothing serves again by itself.
    expect(Object.values(await look()).every((code) => code >= 400)).toBe(true)
    expect((await post('/kumi/v1/people/nori/restore', { reason: 'a test' })).status).toBe(200)
    for (const name of names.filter((each) => each !== 'a refresh token' && each !== 'a session')) {
      expect([name, (await becomes(held[name]!, 200, MOST_MS)).value]).toEqual([name, 200])
    }
  })

  test('a token that was given back is refused at a gateway, too', async () => {
    await holdings('sumi')
    const { token } = await grid.login(1, 'sumi', PASSWORD, 'storage.read:/')
    const look = async () => (await grid.ask(1, 'GET', `${door}/demo/`, { token })).status
    expect(await look()).toBe(200)
    const form = { client_id: 'kumi-cli', token }
    expect((await grid.ask(0, 'POST', '/iam/demo/revoke', { form })).status).toBe(200)
    const gone = await becomes(look, 401, MOST_MS)
    expect(gone.value).toBe(401)
    console.info(`a revoked token is refused at a gateway after ${Math.round(gone.ms)} ms`)
  })
})

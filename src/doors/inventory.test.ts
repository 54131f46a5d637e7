import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { jobDoorDeps, rawDoorDeps } from '../../test/harness/job-door.ts'
import { actionsPage, doorPages } from '../../test/harness/pages.ts'
import { type SoftwareWorld, softwareWorld } from '../../test/harness/software-world.ts'
import { createRseTable } from '../catalog/index.ts'
import { createHttp, type Http, type RegisteredRoute, routeInventory } from '../http/index.ts'
import { ACTIONS, createIdentity, openTrustDirectory } from '../identity/index.ts'
import { silentLogger, systemClock, systemPorts, type Wakeups } from '../kernel/index.ts'
import { registerCvmfsDoor } from './cvmfs/index.ts'
import { registerDiracxDoor } from './diracx/index.ts'
import { iamDoor } from './iam/index.ts'
import { registerGatewayBearers } from './kumi/gateway-bearers.ts'
import { registerGatewayCredentials } from './kumi/gateway-credentials.ts'
import { registerGatewayRoutes } from './kumi/gateways.ts'
import { registerKumiDoor } from './kumi/index.ts'
import { registerPilotRoutes } from './kumi/pilots.ts'
import { oidcDoor } from './oidc/index.ts'
import { canonicalRucioUrl, type RucioDoorDeps, registerRucioDoor } from './rucio/index.ts'
import { scimDoor } from './scim/index.ts'
import { registerStatusPage } from './status/index.ts'
import { registerVomsContact } from './voms/index.ts'
import { registerX509Door } from './x509/index.ts'

/** Each route that anybody may call, and why. Whoever adds one adds it here. */
const PUBLIC: Readonly<Record<string, string>> = {
  'GET /healthz': 'says only that the process lives',
  'GET /readyz': 'says only whether it can serve',
  'GET /metrics': 'loopback only; decides itself for callers from afar',
  'GET /rucio/ping': 'the version, before any login',
  'POST /rucio/traces': 'clients send them without a token; noted in the log only',
  'GET /rucio/auth/userpass': 'the login itself',
  'GET /rucio/auth/validate': 'checks the token itself',
  'GET /rucio/auth/oidc_refresh': 'answers nothing',
  'GET /rucio/auth/x509': 'the login itself, by certificate',
  'GET /rucio/auth/x509_proxy': 'the login itself, by proxy',
  'GET /ca/people.crl': 'which certificates were taken back',
  'GET /ca/authorities.pem': 'certificates of the authorities',
  'GET /ca/trust': 'the same as files of a trust directory',
  'POST /iam/:vo/certificate-requests': 'whoever asks is not known yet; checks the certificate itself',
  'GET /rucio/auth/gss': 'refuses',
  'GET /rucio/auth/ssh': 'refuses',
  'GET /rucio/auth/ssh_challenge_token': 'refuses',
  'GET /rucio/auth/saml': 'refuses',
  'GET /rucio/auth/oidc': 'refuses',
  'GET /rucio/auth/oidc_redirect': 'refuses',
  'GET /rucio/auth/oidc_code': 'refuses',
  'GET /status': 'states of sites and announced downtimes, for everybody',
  'GET /status.json': 'the same for programs',
  'GET /kumi/v1/grid': 'where to log in',
  'GET /kumi/v1/openapi.json': 'the description of the interface',
  'GET /cvmfs/:repository/.cvmfspublished': 'a repository of CVMFS is public, and signed',
  'GET /cvmfs/:repository/.cvmfswhitelist': 'the same',
  'GET /cvmfs/:repository/.cvmfsreflog': 'the same',
  'GET /cvmfs/:repository/.cvmfs_master_replica': 'says only that it may be copied',
  'GET /cvmfs/:repository/data/:directory/:rest': 'objects of a public repository',
  'POST /cvmfs/:repository/objects': 'the same, at most 256 and 8 MiB at once',
  'GET /cvmfs/:repository/api/v1.0/geo/:client/:servers':
    'the order of servers by distance, for clients of public repositories',
  'GET /cvmfs/info/v1/repositories.json': 'names of public repositories, for monitors',
  'GET /cvmfs/info/v1/meta.json': 'the same',
  'GET /diracx/.well-known/openid-configuration': 'where to log in',
  'GET /diracx/.well-known/jwks.json': 'public keys',
  'GET /diracx/.well-known/dirac-metadata': 'which collaborations and groups there are',
  'GET /diracx/.well-known/security.txt': 'whom to tell of weaknesses',
  'GET /diracx/api/auth/authorize': 'leads to the login of a collaboration, which checks everything itself',
  'GET /diracx/api/auth/device': 'leads to the page where a person confirms a code',
  'GET /diracx/sandboxes': 'checks the signature itself, given to whoever may read the archive',
  'POST /diracx/sandboxes': 'checks the signature itself, given for one archive of known bytes',
  'POST /diracx/api/auth/device': 'checks the client itself; a person decides at the console',
  'POST /diracx/api/auth/token': 'checks device code or refresh token itself',
  'POST /diracx/api/auth/revoke': 'checks the token itself',
  'GET /vomses/:vo': 'where the attribute authority answers',
  'GET /vomsdir/:vo/:file': 'names of the certificate that signs attributes',
  'GET /iam/:vo/.well-known/openid-configuration': 'where the issuer keeps what',
  'GET /.well-known/oauth-authorization-server/iam/:vo': 'the same at the place of RFC 8414',
  'GET /iam/:vo/.well-known/oauth-authorization-server': 'the same under its other name',
  'GET /.well-known/openid-configuration/iam/:vo': 'the same where some libraries look',
  'GET /iam/:vo/jwks': 'public keys',
  'GET /iam/:vo/jwk': 'the same under the name of the field',
  'GET /iam/:vo/authorize': 'checks client and redirect URI itself; a person decides at the console',
  'POST /iam/:vo/authorize': 'the same as a form',
  'POST /iam/:vo/devicecode': 'checks the client itself; a person decides at the console',
  'GET /iam/:vo/device': 'leads to the console; decides nothing',
  'GET /iam/:vo/interaction/:id': 'what a program asks for, to whoever holds its one-time name',
  'POST /iam/:vo/userinfo': 'any valid token; checks it itself',
  'POST /iam/:vo/token': 'checks password, code or client secret itself',
  'POST /iam/:vo/revoke': 'checks client and token itself',
  'POST /iam/:vo/introspect': 'checks the client itself',
  'GET /iam/:vo/userinfo': 'any valid token; checks it itself',
  'POST /iam/:vo/session': 'the login itself',
  'GET /iam/:vo/session': 'checks the session itself',
  'DELETE /iam/:vo/session': 'ends only the session it comes with',
  'GET /iam/:vo/iam/aup': 'the usage policy, read before anybody registers',
  'GET /iam/:vo/registration/config': 'whether and how one registers',
  'POST /iam/:vo/registration/create':
    'the registration itself; only where a VO opened it, limited per address',
  'GET /iam/:vo/registration/verify/:token': 'a page with a button',
  'POST /iam/:vo/registration/verify': 'checks the secret of the link itself',
  'GET /iam/:vo/iam/password-reset': 'whether the grid sends mail',
  'POST /iam/:vo/iam/password-reset': 'checks the secret of the link itself',
  'POST /iam/:vo/iam/password-reset/token': 'whoever forgot a password; tells nothing, limited per address',
  'GET /iam/:vo/iam/password-reset/token/:token':
    'a page with a form; HEAD checks the secret of the link itself',
  'GET /iam/:vo/registration/username-available/:id': 'as limited as registering',
  'GET /iam/:vo/registration/email-available/:email': 'as limited as registering',
}

describe('the routes of all doors', () => {
  const database = testDatabase()
  let http: Http
  let software: SoftwareWorld
  let routes: RegisteredRoute[] = []

  beforeAll(async () => {
    const { db } = database
    const wakeups: Wakeups = { on: () => () => undefined, close: async () => undefined }
    const common = { db, clock: systemClock, ids: systemPorts.ids, log: silentLogger }
    const identity = createIdentity({
      ...common,
      issuerBase: 'https://localhost:7443',
      sealKey: randomBytes(32),
    })
    await identity.createVo({ id: 'demo', title: 'Demo' })
    http = createHttp({
      identity,
      audience: ['https://localhost:7443'],
      log: silentLogger,
      clock: systemClock,
      port: 0,
      rewriteUrl: canonicalRucioUrl,
    })
    await http.app.register(scimDoor({ identity, address: 'https://localhost:7443' }))
    await http.app.register(iamDoor({ identity, address: 'https://localhost:7443' }))
    await http.app.register(oidcDoor({ identity, clock: systemClock, clientRegistration: true }))
    await registerRucioDoor(http.app, {
      ...common,
      identity,
      rses: createRseTable(db),
      placement: {} as RucioDoorDeps['placement'],
      verifyArrivals: async () => undefined,
      version: '0.0.0',
      defaultVo: 'demo',
    })
    await registerX509Door(http.app, { identity, clock: systemClock, vo: 'demo', authorities: [] })
    const trust = openTrustDirectory({ directories: [], clock: systemClock })
    registerGatewayBearers(http.app, { db, clock: systemClock, identity, trust })
    registerGatewayCredentials(http.app, { db, clock: systemClock, identity, wakeups })
    registerGatewayRoutes(http.app, {
      db,
      clock: systemClock,
      wakeups,
      onReport: async () => undefined,
      onScrubFindings: async () => undefined,
    })
    software = softwareWorld(database)
    registerCvmfsDoor(http.app, { software: software.software, vo: 'demo', places: async () => [] })
    const jobs = jobDoorDeps(db, identity)
    registerPilotRoutes(http.app, jobs)
    await registerDiracxDoor(http.app, { ...jobs, log: silentLogger })
    await registerKumiDoor(http.app, {
      db,
      jobs,
      raw: rawDoorDeps(db),
      identity,
      wakeups,
      software: software.software,
      clock: systemClock,
      vo: 'demo',
      version: '0.0.0',
      issuerBase: 'https://localhost:7443/iam',
      consoleDirectory: '/nowhere',
    })
    registerStatusPage(http.app, { page: { read: async () => undefined }, clock: systemClock })
    registerVomsContact(http.app, {
      identity,
      contact: () => ({ host: 'localhost', port: 7452, subject: '/CN=localhost', chain: [] }),
    })
    await http.app.ready()
    routes = routeInventory(http.app)
  })
  afterAll(async () => {
    await http?.close()
    await software?.close()
  })

  const nameOf = ({ method, url }: RegisteredRoute) => `${method === 'HEAD' ? 'GET' : method} ${url}`

  test('every route has an action', () => {
    expect(routes.length).toBeGreaterThan(80)
    expect(routes.filter(({ action }) => !action)).toEqual([])
  })

  test('the public ones are those reviewed here', () => {
    const found = new Set(routes.filter(({ action }) => action === 'public').map(nameOf))
    expect([...found].sort()).toEqual(Object.keys(PUBLIC).sort())
  })

  test('are those of the pages in docs/doors', async () => {
    for (const [file, text] of doorPages(routes)) {
      await expect(text, 'run: npm run docs').toMatchFileSnapshot(`../../docs/doors/${file}`)
    }
    await expect(actionsPage(ACTIONS), 'run: npm run docs').toMatchFileSnapshot('../../docs/doors/actions.md')
  })

  test('every other route turns nobody, a forged token and a foreign cookie away', async () => {
    const guarded = routes.filter(({ action }) => action !== 'public')
    for (const { method, url } of guarded) {
      const path = url.replace(/:[A-Za-z]+(\([^)]*\))?/g, 'x').replace('*', 'x')
      for (const headers of [{}, { authorization: 'Bearer a.b.c' }, { cookie: 'kumi_session=a.b.c' }]) {
        const answer = await http.app.inject({ method: method as 'GET', url: path, headers })
        expect([method, url, answer.statusCode]).toEqual([method, url, 401])
      }
    }
  })
})

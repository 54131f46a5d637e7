// Prints a token of the grid at $KUMI_HOME that is rightly signed and yet no good here:
//   node test/clients/token.mjs expired|elsewhere
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = process.env.KUMI_DIST ?? join(import.meta.dirname, '..', '..', 'dist')
const { createIdentity } = await import(join(root, 'src/identity/index.js'))
const { openDatabase, silentLogger, systemPorts } = await import(join(root, 'src/kernel/index.js'))

const kind = process.argv[2]
const home = process.env.KUMI_HOME
const grid = JSON.parse(readFileSync(join(home, 'grid.json'), 'utf8'))
const moved = join(home, 'postgres', 'socket-directory')
const host = existsSync(moved) ? readFileSync(moved, 'utf8').trim() : join(home, 'postgres')
const connection = process.env.DATABASE_URL ?? { host, port: 5432, user: 'kumi', database: 'kumi' }
const { db, pool } = openDatabase({ connection, poolSize: 2, log: silentLogger })
const identity = createIdentity({
  ...{ db, pool, ids: systemPorts.ids, log: silentLogger },
  clock: systemPorts.clock,
  issuerBase: `https://localhost:${grid.port}`,
  sealKey: Buffer.from(readFileSync(join(home, 'server', 'seal.key'), 'utf8').trim(), 'base64url'),
})
const [account] = await identity.accounts(grid.vo, ['admin'])
const { token } = await identity.mint({
  ...{
    vo: grid.vo,
    accountId: account.id,
    scopes: ['storage.read:/'],
    lifetimeSeconds: kind === 'expired' ? -3600 : 3600,
  },
  audience: [kind === 'elsewhere' ? 'https://elsewhere.example' : 'https://wlcg.cern.ch/jwt/v1/any'],
})
console.log(token)
await pool.end()

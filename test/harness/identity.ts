import { randomBytes } from 'node:crypto'
import { createIdentity, type Identity } from '../../src/identity/index.ts'
import { type Clock, type Database, silentLogger, systemPorts } from '../../src/kernel/index.ts'

/** An identity room on a test database, with the VOs `demo` and `other`. */
export async function testIdentity(database: Database, clock: Clock): Promise<Identity> {
  const identity = createIdentity({
    db: database.db,
    clock,
    ids: systemPorts.ids,
    log: silentLogger,
    issuerBase: 'https://localhost:7443',
    sealKey: randomBytes(32),
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
  await identity.createVo({ id: 'other', title: 'Other' })
  return identity
}

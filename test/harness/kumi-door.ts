import { randomBytes } from 'node:crypto'
import { registerKumiDoor } from '../../src/doors/kumi/index.ts'
import { createHttp } from '../../src/http/index.ts'
import { createIdentity } from '../../src/identity/index.ts'
import { silentLogger, systemClock, systemPorts, type Wakeups } from '../../src/kernel/index.ts'
import type { testDatabase } from './database.ts'
import { jobDoorDeps, rawDoorDeps } from './job-door.ts'
import { softwareWorld } from './software-world.ts'

export type KumiDoor = Awaited<ReturnType<typeof openKumiDoor>>

/** The door for what has no standard, of an empty grid with an administrator, sato, and a member, mika. */
export async function openKumiDoor(database: ReturnType<typeof testDatabase>) {
  const { db } = database
  const software = softwareWorld(database)
  const identity = createIdentity({
    ...{ db, clock: systemClock, ids: systemPorts.ids, log: silentLogger },
    ...{ issuerBase: 'https://localhost', sealKey: randomBytes(32) },
  })
  await identity.createVo({ id: 'demo', title: 'Demo' })
  const [sato, mika] = await identity.createAccounts([
    { vo: 'demo', name: 'sato' },
    { vo: 'demo', name: 'mika' },
  ])
  await identity.setAttributes(sato!.id, { admin: 'True' })
  const headersOf = async (id: number) => ({
    authorization: `Bearer ${(await identity.mintForAccount(id)).token}`,
  })
  const woken = new Set<() => void>()
  const wakeups: Wakeups = {
    on: (_topics, callback) => {
      woken.add(callback)
      return () => woken.delete(callback)
    },
    close: async () => undefined,
  }
  const http = createHttp({ identity, audience: [], log: silentLogger, clock: systemClock, port: 0 })
  await registerKumiDoor(http.app, {
    ...{ db, identity, wakeups, clock: systemClock, software: software.software },
    ...{ jobs: jobDoorDeps(db, identity), raw: rawDoorDeps(db), vo: 'demo', version: '0.0.0' },
    ...{ issuerBase: 'https://localhost/iam', consoleDirectory: '/nowhere' },
  })
  const { port } = await http.listen()
  return {
    ...{ http, identity, url: `http://127.0.0.1:${port}` },
    headers: await headersOf(sato!.id),
    ordinary: await headersOf(mika!.id),
    wake: () => {
      for (const callback of woken) callback()
    },
    async close() {
      await http.close()
      await software.close()
    },
  }
}

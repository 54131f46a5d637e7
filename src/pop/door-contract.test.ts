import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { afterAll, beforeAll } from 'vitest'
import { doorDriver } from '../../test/harness/door-driver.ts'
import { everything, gatewayWorld } from '../../test/harness/gateway-world.ts'
import { driverContract } from '../storage/driver.contract.ts'
import { behavesAsTheModel } from '../storage/driver.model.ts'
import { type WebdavClient, webdavClient } from '../storage/webdav.ts'

let world: Awaited<ReturnType<typeof gatewayWorld>>
let client: WebdavClient
let dispatcher: Agent
let token: string
let areas = 0

beforeAll(async () => {
  world = await gatewayWorld(['a'])
  await world.openIssuer()
  await world.startHere(world.sites[0]!)
  const ca = readFileSync(world.ca)
  client = webdavClient({ ca })
  dispatcher = new Agent({ connect: { ca } })
  token = await world.mint(everything)
})
afterAll(async () => {
  await Promise.all([client.close(), dispatcher.close()])
  await world.close()
})

async function fresh() {
  const url = world.sites[0]!.url(`/area-${areas++}`)
  await request(url, { method: 'MKCOL', headers: { authorization: `Bearer ${token}` }, dispatcher })
  return doorDriver(client, { url, token, dispatcher })
}

driverContract('webdav', fresh)
behavesAsTheModel('webdav', fresh, { runs: 40, local: false })

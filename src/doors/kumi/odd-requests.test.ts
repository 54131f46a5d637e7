import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { type KumiDoor, openKumiDoor } from '../../../test/harness/kumi-door.ts'
import { type OpenApi, oddRequests } from '../../../test/harness/odd-requests.ts'

const AT_ONCE = 4
const database = testDatabase()
let door: KumiDoor
beforeAll(async () => {
  door = await openKumiDoor(database)
})
afterAll(() => door?.close())

test('no odd value in an address or a body is a fault of ours', async () => {
  const { url } = door
  const headers = { ...door.headers, 'content-type': 'application/json' }
  const requests = oddRequests((await (await fetch(`${url}/kumi/v1/openapi.json`)).json()) as OpenApi)
  const faults: string[] = []
  let [tried, accepted] = [0, 0]
  const work = async () => {
    for (const { method, path, body } of requests) {
      // It never ends.
      if (path.startsWith('/kumi/v1/events')) continue
      const content = body === undefined ? null : JSON.stringify(body)
      const answer = await fetch(url + path, { method, headers, body: method === 'GET' ? null : content })
      const said = await answer.text()
      tried++
      if (answer.ok) accepted++
      if (answer.status >= 500) faults.push(`${answer.status} ${method} ${path} ${content} ${said}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect(faults).toEqual([])
  // Requests that all go wrong in the same way would find nothing.
  expect(tried).toBeGreaterThan(2000)
  expect(accepted).toBeGreaterThan(200)
})

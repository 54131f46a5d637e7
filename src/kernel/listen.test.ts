import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { listen, openDatabase, row, rows, silentLogger, sql, wake } from './index.ts'

const database = testDatabase()
const sockets = new Set<Socket>()
let refusing = false
let refused = 0
/** PostgreSQL behind a port that can be shut. */
const gate = createServer((incoming) => {
  if (refusing) {
    refused++
    return void incoming.destroy()
  }
  const outgoing = connect(join(inject('postgresHost'), '.s.PGSQL.5432'))
  for (const socket of [incoming, outgoing]) {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }
  incoming.pipe(outgoing).pipe(incoming)
})
afterAll(() => gate.close())

test('a wake-up connection that is refused several times comes back as one', async () => {
  gate.listen(0, '127.0.0.1')
  await once(gate, 'listening')
  const { port } = gate.address() as AddressInfo
  const { db } = database
  const name = (await row(db, sql<{ name: string }>`select current_database() as name`))!.name
  const through = openDatabase({
    connection: { host: '127.0.0.1', port, user: 'kumi', database: name },
    applicationName: 'listener',
  })
  const wakeups = await listen(through.pool, silentLogger)
  let woken = 0
  wakeups.on(['news'], () => woken++)
  refusing = true
  for (const socket of sockets) socket.destroy()
  await expect.poll(() => refused, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
  refusing = false
  // It comes back by itself and wakes everybody once, in case something was missed.
  await expect.poll(() => woken, { timeout: 30_000 }).toBeGreaterThanOrEqual(1)
  const before = woken
  await wake(db, 'news')
  await expect.poll(() => woken, { timeout: 30_000 }).toBeGreaterThan(before)
  const connections = await rows(
    db,
    sql`select pid from pg_stat_activity where application_name = 'listener' and query like 'listen%'`,
  )
  expect(connections).toHaveLength(1)
  await wakeups.close()
  await through.close()
}, 60_000)

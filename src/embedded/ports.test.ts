import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { choosePorts, requirePorts } from './ports.ts'

const open: Server[] = []
/** Another program that listens at a port. */
function occupy(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
    open.push(server)
  })
}
afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

describe('the ports of a grid', () => {
  test('are its own, however many start at once and however late they listen', async () => {
    const firsts = await Promise.all(Array.from({ length: 12 }, () => choosePorts(4)))
    expect(new Set(firsts).size).toBe(12)
    expect(new Set(firsts.map((first) => Math.floor(first / 10))).size).toBe(12)
    expect(firsts).not.toContain(await choosePorts(4))
  })

  test('begin where the caller says, or nowhere', async () => {
    const free = await choosePorts(4)
    expect(await choosePorts(4, free)).toBe(free)
    await occupy(free + 3)
    await expect(choosePorts(4, free)).rejects.toMatchObject({ code: 'port_taken' })
  })

  test('leave out a block where somebody listens', async () => {
    const free = await choosePorts(1)
    await occupy(free + 12)
    expect(await choosePorts(4)).not.toBe(free + 10)
  })

  test('of a known grid are missed by name when another program has them', async () => {
    const free = await choosePorts(4)
    await requirePorts([free, free + 1], '/srv/grid')
    const other = await occupy(free + 1)
    const started = requirePorts([free, free + 1], '/srv/grid')
    other.close()
    await started
    await occupy(free + 1)
    await expect(requirePorts([free, free + 1], '/srv/grid', 0)).rejects.toThrow(
      `The grid in /srv/grid needs port ${free + 1}, where another program listens`,
    )
  })
})

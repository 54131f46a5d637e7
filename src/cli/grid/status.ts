import { join } from 'node:path'
import { defaultHome, homeAt, isAlive, readGrid, readPid } from '../../embedded/index.ts'
import { adminToken } from './login.ts'

interface SiteStatus {
  readonly name: string
  readonly state: string
  readonly reason?: string
}

export interface GridStatus {
  readonly home: string
  readonly state: 'none' | 'stopped' | 'starting' | 'running'
  readonly pid?: number
  readonly port?: number
  readonly vo?: string
  readonly server: boolean
  readonly sites: readonly SiteStatus[]
}

export async function status(options: { home?: string; json?: boolean }): Promise<void> {
  const found = await gridStatus(options.home ?? defaultHome())
  if (options.json) console.log(JSON.stringify(found))
  else print(found)
  if (found.state !== 'running') process.exitCode = 1
}

export async function gridStatus(directory: string): Promise<GridStatus> {
  const home = homeAt(directory)
  const facts = readGrid(home)
  if (!facts) return { home: home.path, state: 'none', server: false, sites: [] }
  const pid = readPid(join(home.run, 'supervisor.pid'))
  const alive = pid !== undefined && isAlive(pid)
  const base = { home: home.path, port: facts.port, vo: facts.vo, ...(alive && { pid }) }
  if (!alive) return { ...base, state: 'stopped', server: false, sites: [] }
  const server = await fetch(`http://127.0.0.1:${facts.port}/readyz`, { signal: AbortSignal.timeout(3000) })
    .then((answer) => answer.ok)
    .catch(() => false)
  if (!server) return { ...base, state: 'starting', server, sites: [] }
  const token = await adminToken({ client: home.client, port: facts.port, vo: facts.vo })
  const answer = await fetch(`http://127.0.0.1:${facts.port}/kumi/v1/sites`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const { sites } = (await answer.json()) as { sites: SiteStatus[] }
  return {
    ...base,
    state: 'running',
    server,
    sites: sites.map(({ name, state, reason }) => ({ name, state, ...(reason && { reason }) })),
  }
}

function print(found: GridStatus): void {
  if (found.state === 'none') {
    console.log(`No grid in ${found.home}. Start one with: kumi up --home ${found.home}`)
    return
  }
  console.log(`${found.home}: ${found.state}${found.pid ? ` (pid ${found.pid}, port ${found.port})` : ''}`)
  for (const site of found.sites) {
    console.log(`  ${site.name.padEnd(12)} ${site.state}${site.reason ? `  ${site.reason}` : ''}`)
  }
  if (found.state === 'stopped') console.log(`Start it with: kumi up --home ${found.home}`)
}

import { join } from 'node:path'
import { defaultHome, homeAt, isAlive, readGrid, readPid } from '../../embedded/index.ts'
import { bytesText } from '../terminal.ts'
import { adminToken } from './login.ts'

interface SiteStatus {
  readonly name: string
  readonly state: string
  readonly reason?: string
}

interface SoftwareStatus {
  readonly gateways: readonly {
    readonly gateway: string
    readonly hits: number
    readonly misses: number
    readonly evictions: number
    readonly bytes: number
    readonly repositories: readonly { name: string; revision: number; behind: number }[]
  }[]
  readonly concerns: readonly {
    readonly repository: string
    readonly problem: string
    readonly gateway: string | null
    readonly at: string | null
    readonly reason: string | null
  }[]
}

export interface GridStatus {
  readonly home: string
  readonly state: 'none' | 'stopped' | 'starting' | 'running'
  readonly pid?: number
  readonly port?: number
  readonly vo?: string
  readonly server: boolean
  readonly sites: readonly SiteStatus[]
  /** What gateways keep of software, and what is wrong with repositories; while the grid runs. */
  readonly software?: SoftwareStatus
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
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${facts.port}/kumi/v1/${path}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    return answer.json()
  }
  const { sites } = (await ask('sites')) as { sites: SiteStatus[] }
  const software = (await ask('software/state')) as SoftwareStatus
  return {
    ...base,
    state: 'running',
    server,
    sites: sites.map(({ name, state, reason }) => ({ name, state, ...(reason && { reason }) })),
    software,
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
  for (const line of softwareLines(found.software)) console.log(`  ${line}`)
  if (found.state === 'stopped') console.log(`Start it with: kumi up --home ${found.home}`)
}

const PROBLEMS: Readonly<Record<string, string>> = {
  no_whitelist: 'has no whitelist: no client accepts it',
  whitelist_ended: 'has a whitelist that ended: no client accepts it',
  whitelist_ends: 'has a whitelist that ends soon',
  key_ends: 'is signed by a key that ends soon: kumi software rotate-key',
  not_verified: 'was not verified for a while',
  behind: 'is behind',
}

function softwareLines(software: SoftwareStatus | undefined): string[] {
  if (!software) return []
  return [
    ...software.gateways
      .filter(({ hits, misses, repositories }) => hits + misses > 0 || repositories.length > 0)
      .map(({ gateway, hits, misses, evictions, bytes, repositories }) => {
        const share = hits + misses > 0 ? Math.round((100 * hits) / (hits + misses)) : 100
        const behind = repositories.filter((one) => one.behind > 0)
        const lag = behind.map((one) => `${one.name} ${one.behind} behind`)
        return `software at ${gateway}: ${share}% of ${hits + misses} objects were there, ${bytesText(bytes)} kept, ${evictions} gone for others${lag.length > 0 ? `; ${lag.join(', ')}` : ''}`
      }),
    ...software.concerns.map(({ repository, problem, gateway, at, reason }) =>
      [
        `software ${repository}${gateway ? ` at ${gateway}` : ''} ${PROBLEMS[problem] ?? problem}`,
        ...(at ? [`(${at})`] : []),
        ...(reason ? [reason] : []),
      ].join(' '),
    ),
  ]
}

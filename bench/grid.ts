import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Doors, openDoors } from '../src/cli/main-job/doors.ts'
import {
  type GridFacts,
  type Home,
  homeAt,
  prepareHome,
  type Supervisor,
  supervise,
} from '../src/embedded/index.ts'
import { openDatabase, row, sql } from '../src/kernel/index.ts'

export interface BenchGrid {
  readonly home: Home
  readonly facts: GridFacts
  readonly grid: Supervisor
  readonly doors: Doors
  pid(part: string): number
  /** What the catalogue and all else takes on disk. */
  databaseBytes(): Promise<number>
}

/** Runs `work` on a fresh grid and removes it. */
export async function withGrid<T>(work: (grid: BenchGrid) => Promise<T>): Promise<T> {
  const home = homeAt(mkdtempSync(join(tmpdir(), 'kumi-bench-')))
  const facts = await prepareHome(home, {}, new Date())
  const program = join(import.meta.dirname, '..', 'src')
  const grid = await supervise({ home, facts, program })
  const doors = await openDoors(home, facts)
  try {
    return await work({
      home,
      facts,
      grid,
      doors,
      pid: (part) => grid.parts().find(({ name }) => name === part)?.pid ?? process.pid,
      databaseBytes: () => databaseBytes(home),
    })
  } finally {
    await doors.close()
    await grid.stop()
    rmSync(home.path, { recursive: true, force: true })
  }
}

/** Where the grid of a home keeps all it knows. */
export const databaseConnection = (home: Home) =>
  process.env.DATABASE_URL ?? { host: home.postgres, port: 5432, user: 'kumi', database: 'kumi' }

async function databaseBytes(home: Home): Promise<number> {
  const { db, close } = openDatabase({ connection: databaseConnection(home), poolSize: 1 })
  const size = await row(db, sql<{ n: bigint }>`select pg_database_size(current_database()) as n`)
  await close()
  return Number(size!.n)
}

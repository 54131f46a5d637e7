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

export interface BenchGrid {
  readonly home: Home
  readonly facts: GridFacts
  readonly grid: Supervisor
  readonly doors: Doors
  pid(part: string): number
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
    })
  } finally {
    await doors.close()
    await grid.stop()
    rmSync(home.path, { recursive: true, force: true })
  }
}

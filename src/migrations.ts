import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { MigrationSource } from './kernel/index.ts'

/** Rooms that own tables, lowest floor first: the order in which their migrations run. */
const ROOMS_WITH_TABLES = [
  'kernel',
  'identity',
  'sites',
  'catalog',
  'software',
  'transfer',
  'placement',
  'raw',
  'workload',
  'production',
  'operations',
] as const

export function migrationSources(): MigrationSource[] {
  return ROOMS_WITH_TABLES.map((room) => ({
    room,
    directory: join(import.meta.dirname, room, 'migrations'),
  })).filter(({ directory }) => existsSync(directory))
}

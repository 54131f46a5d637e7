import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { defineError } from '../kernel/errors.ts'

const noGrid = defineError('missing', 'no_grid')

/** A demo site: its gateway listens on the grid's port plus `portOffset`. */
export interface SiteFacts {
  readonly name: string
  readonly title: string
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  readonly rse: string
  readonly port: number
}

/** What a home directory says of its grid; written once, read by every program that is started for it. */
export interface GridFacts {
  readonly version: 1
  readonly vo: string
  readonly title: string
  readonly port: number
  readonly sites: readonly SiteFacts[]
  readonly createdAt: string
}

export interface Home {
  readonly path: string
  readonly grid: string
  readonly ca: string
  readonly postgres: string
  readonly server: string
  readonly sites: string
  readonly client: string
  readonly logs: string
  readonly run: string
}

export function defaultHome(): string {
  return process.env.KUMI_HOME ?? join(homedir(), '.kumi')
}

export function homeAt(directory: string): Home {
  const path = resolve(directory)
  return {
    path,
    grid: join(path, 'grid.json'),
    ca: join(path, 'ca'),
    postgres: join(path, 'postgres'),
    server: join(path, 'server'),
    sites: join(path, 'sites'),
    client: join(path, 'client'),
    logs: join(path, 'logs'),
    run: join(path, 'run'),
  }
}

export function readGrid(home: Home): GridFacts | undefined {
  if (!existsSync(home.grid)) return undefined
  return JSON.parse(readFileSync(home.grid, 'utf8')) as GridFacts
}

export function requireGrid(home: Home): GridFacts {
  const grid = readGrid(home)
  if (!grid) throw noGrid(`There is no grid in ${home.path}. Start one with: kumi up --home ${home.path}`)
  return grid
}

/** Writes a file whole or not at all, readable by its owner only unless `mode` says otherwise. */
export function writeWhole(file: string, content: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true })
  const fresh = `${file}.${process.pid}.new`
  writeFileSync(fresh, content, { mode })
  renameSync(fresh, file)
}

/** The content of a secret file, made of random bytes on first use. */
export function secretFile(file: string, bytes = 32): string {
  if (!existsSync(file)) writeWhole(file, randomBytes(bytes).toString('base64url'))
  return readFileSync(file, 'utf8').trim()
}

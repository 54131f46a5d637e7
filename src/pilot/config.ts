import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { defineError } from '../kernel/errors.ts'

const invalidConfig = defineError('invalid', 'invalid_config')

/** What `pilot.json` says; written by whoever starts the pilot, readable by its owner only because of the token. */
export interface PilotConfig {
  readonly server: string
  /** File of the certificate authorities to trust; the system's when absent. */
  readonly ca?: string
  readonly stamp: string
  readonly token: string
  readonly directory: string
  /** Where software is kept for all pilots of this place; below its own directory when absent. */
  readonly softwareDirectory?: string
  /** Caches of software that are asked before the server, the nearest first. */
  readonly softwareServers: readonly string[]
  readonly cores: number
  readonly memoryMb: number
  readonly diskMb: number
  /** Nothing is taken that would not be over by then. */
  readonly seconds: number
  readonly platform: string
  readonly tags: readonly string[]
  /** Without work for so long it ends. */
  readonly idleSeconds: number
  /** The longest pause between two reports. */
  readonly heartbeatSeconds: number
  /** Asked to stop, it gives running jobs so long before it hands them back. */
  readonly drainSeconds: number
}

const DEFAULTS = {
  ...{ cores: 0, memoryMb: 0, diskMb: 10_240, seconds: 86_400, platform: '', tags: [] as string[] },
  softwareServers: [] as string[],
  ...{ idleSeconds: 60, heartbeatSeconds: 60, drainSeconds: 20 },
}

/** The name under which the field knows this kind of machine. */
export const platformHere = (): string => (process.arch === 'x64' ? 'x86_64' : process.arch)

export function readPilotConfig(file: string): PilotConfig {
  let given: Partial<PilotConfig>
  try {
    given = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw invalidConfig(`${file} cannot be read as JSON: ${(error as Error).message}.`, {}, error)
  }
  const missing = (['server', 'stamp', 'token', 'directory'] as const).filter((key) => !given[key])
  if (missing.length > 0) throw invalidConfig(`${file} lacks ${missing.join(', ')}.`)
  const config = { ...DEFAULTS, ...given } as PilotConfig
  return {
    ...config,
    cores: config.cores || availableParallelism(),
    memoryMb: config.memoryMb || Math.floor(totalmem() / 2 ** 20),
    platform: config.platform || platformHere(),
  }
}

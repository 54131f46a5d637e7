import { createHash } from 'node:crypto'
import { invalidJob } from './errors.ts'
import type { Demand, Queue } from './types.ts'

/** Steps of the time a job may take, as the field has them: few steps make few queues. */
export const SECONDS = [
  360, 1800, 3600, 21_600, 43_200, 86_400, 172_800, 259_200, 345_600, 518_400, 691_200, 864_000, 1_080_000,
] as const
const MEMORY_STEP_MB = 256
const DISK_STEP_MB = 1024
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/

export const DEFAULT_DEMAND: Demand = {
  seconds: 86_400,
  cores: 1,
  memoryMb: 2048,
  diskMb: 10_240,
  platform: null,
  tags: [],
  sites: null,
  banned: [],
}

/** The normal form of a wish: rounded up to steps, lists sorted. Throws invalid_job. */
export function normalDemand(wish: Partial<Demand>): Demand {
  const given = { ...DEFAULT_DEMAND, ...wish }
  const seconds = SECONDS.find((step) => step >= given.seconds)
  if (!seconds || given.seconds < 1) throw invalidJob(`A job may take 1 to ${SECONDS.at(-1)} seconds.`)
  const cores = whole('cores', given.cores, 1024)
  const memoryMb = upTo(MEMORY_STEP_MB, whole('memory in MB', given.memoryMb, 16_777_216))
  const diskMb = upTo(DISK_STEP_MB, whole('disk in MB', given.diskMb, 16_777_216))
  const sites = given.sites === null ? null : sorted('site', given.sites)
  if (sites?.length === 0) throw invalidJob('The list of sites is empty: leave it out to run anywhere.')
  if (given.platform !== null && !NAME.test(given.platform))
    throw invalidJob(`"${given.platform}" is no platform.`)
  return {
    ...{ seconds, cores, memoryMb, diskMb, platform: given.platform, sites },
    tags: sorted('tag', given.tags),
    banned: sorted('site', given.banned),
  }
}

function whole(what: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw invalidJob(`The number of ${what} must be a whole number between 1 and ${most}.`)
  return value
}

const upTo = (step: number, value: number): number => Math.ceil(value / step) * step

function sorted(what: string, names: readonly string[]): string[] {
  const bad = names.find((name) => !NAME.test(name))
  if (bad !== undefined) throw invalidJob(`"${bad}" is no ${what}.`)
  if (names.length > 100) throw invalidJob(`At most 100 names of a ${what} can be given.`)
  return [...new Set(names)].sort()
}

/** What makes two queues the same. */
export function queueKey(queue: Omit<Queue, 'id'>): Buffer {
  const { vo, ownerId, group, jobType, demand, dataSites, spoiltAt } = queue
  const { seconds, cores, memoryMb, diskMb, platform, tags, sites, banned } = demand
  const facts = [vo, ownerId, group, jobType, seconds, cores, memoryMb, diskMb, platform, tags, sites, banned]
  return createHash('sha256')
    .update(JSON.stringify([...facts, dataSites, ...(spoiltAt.length > 0 ? [spoiltAt] : [])]))
    .digest()
}

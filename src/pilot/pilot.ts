import { mkdir, readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../kernel/log.ts'
import type { Clock } from '../kernel/ports.ts'
import { webdavClient } from '../storage/webdav.ts'
import type { PilotConfig } from './config.ts'
import { probeIsolation } from './isolation.ts'
import { type LeasedJob, type RunningJob, runJob } from './run-job.ts'
import { isOver, pilotServer } from './server.ts'
import { softwareShelf } from './software.ts'

export interface Pilot {
  /** Resolves when it has ended by itself or was stopped, with the reason. */
  readonly ended: Promise<string>
  /** Takes nothing more; running jobs have a while to end, then they are handed back. */
  stop(): void
}

interface Lease {
  readonly jobs: readonly LeasedJob[]
  readonly retryAfterMs: number
  readonly drain: boolean
}

interface HeartbeatAnswer {
  readonly stop: readonly { readonly jobId: number; readonly attempt: number }[]
  readonly drain: boolean
}

const LONGEST_RETRY_MS = 30_000
const FIRST_BEAT_MS = 1_000
const LOG_PARTS = 16
/** An idle pilot lets the server take so long to find work for it. */
const WAIT_SECONDS = 20

/** Without what no name of a machine has. */
const node =
  hostname()
    .replaceAll(/[^A-Za-z0-9._:-]/g, '-')
    .slice(0, 255) || undefined

/** Leases jobs while there is room and work, and reports about them until all are over. */
export function startPilot(config: PilotConfig, { clock, log }: { clock: Clock; log: Logger }): Pilot {
  const server = pilotServer(config, clock)
  const ca = config.ca ? readFileSync(config.ca) : undefined
  const client = webdavClient({ ...(ca && { ca }), connections: 8 })
  const software = softwareShelf(config, clock)
  const directory = join(config.directory, 'jobs')
  const running = new Map<string, RunningJob>()
  const endAt = clock.now().getTime() + config.seconds * 1000
  const over = new AbortController()
  const told = new AbortController()
  const drained = new AbortController()
  let draining: string | undefined
  /** Ends the present nap, because something changed. */
  let wake = new AbortController()

  const stirred = (): void => {
    wake.abort()
    wake = new AbortController()
  }
  const drain = (why: string): void => {
    draining ??= why
    drained.abort()
    stirred()
  }

  function free() {
    const used = (key: 'cores' | 'memoryMb' | 'diskMb') =>
      [...running.values()].reduce((sum, { job }) => sum + job.demand[key], 0)
    return {
      cores: Math.max(0, config.cores - used('cores')),
      memoryMb: Math.max(0, config.memoryMb - used('memoryMb')),
      diskMb: Math.max(0, config.diskMb - used('diskMb')),
      seconds: Math.max(0, Math.floor((endAt - clock.now().getTime()) / 1000)),
      platform: config.platform,
      tags: config.tags,
    }
  }

  async function leases(): Promise<void> {
    const probed = await probeIsolation()
    const runDeps = { server, client, software, clock, log, directory, told: told.signal, ...probed }
    log.info({ isolation: runDeps.isolation }, 'pilot begins')
    let idleSince = clock.now().getTime()
    for (let empty = 0; draining === undefined; ) {
      const room = free()
      if (running.size === 0 && room.seconds < 60) return drain('its time is over')
      if (room.cores < 1) {
        await clock.sleep(LONGEST_RETRY_MS, AbortSignal.any([wake.signal, over.signal]))
        continue
      }
      const holding = [...running.values()].map(({ job }) => ({ jobId: job.jobId, attempt: job.attempt }))
      const idleLeft = config.idleSeconds - (clock.now().getTime() - idleSince) / 1000
      const wait = running.size > 0 ? 0 : Math.max(0, Math.min(WAIT_SECONDS, Math.ceil(idleLeft)))
      const question = { free: room, most: Math.min(16, room.cores), holding, node, wait }
      const lease = await server.ask<Lease>('lease', question, {
        ...(wait > 0 && { signal: drained.signal }),
        unwanted: () => draining !== undefined,
      })
      for (const job of lease.jobs) begin(job)
      if (lease.drain) return drain('the server asked it to end')
      if (running.size > 0) idleSince = clock.now().getTime()
      else if (clock.now().getTime() - idleSince > config.idleSeconds * 1000)
        return drain('there was no work for it')
      empty = lease.jobs.length > 0 ? 0 : empty + 1
      if (lease.jobs.length > 0) continue
      const nap = Math.min(LONGEST_RETRY_MS, lease.retryAfterMs * 1.5 ** Math.min(empty - 1, 6))
      await clock.sleep(nap, AbortSignal.any([wake.signal, over.signal]))
    }

    function begin(job: LeasedJob): void {
      const key = `${job.jobId} ${job.attempt}`
      if (running.has(key)) return
      log.info({ job: job.jobId, attempt: job.attempt, name: job.name }, 'job begins')
      const one = runJob(runDeps, job)
      running.set(key, one)
      void one.done.then(() => {
        log.info({ job: job.jobId, attempt: job.attempt }, 'job is over')
        running.delete(key)
        stirred()
      })
    }
  }

  async function heartbeats(): Promise<void> {
    for (let pause = FIRST_BEAT_MS; !over.signal.aborted; ) {
      await clock.sleep(pause, over.signal)
      if (running.size === 0) {
        pause = FIRST_BEAT_MS
        continue
      }
      pause = Math.min(config.heartbeatSeconds * 1000, pause * 2)
      await beat().catch((error) => {
        if (isOver(error)) {
          for (const job of running.values()) job.abandon()
          return drain('the server gave it up')
        }
        log.debug({ err: error }, 'heartbeat not delivered')
      })
    }
  }

  async function beat(): Promise<void> {
    const jobs = [...running.values()]
    const logs = await Promise.all(jobs.map((job) => job.logs.read(LOG_PARTS)))
    const held = ({ job }: RunningJob) => ({ jobId: job.jobId, attempt: job.attempt })
    const question = {
      jobs: jobs.map((job) => ({ ...held(job), ...job.status() })),
      logs: jobs.flatMap((job, i) => logs[i]!.parts.map((part) => ({ ...held(job), ...part }))),
    }
    // Silence of the server must not become silence of the pilot: one try, the next report says all there is.
    const answer = await server.ask<HeartbeatAnswer>('heartbeat', question, { patienceMs: 0 })
    for (const each of logs) each.confirm()
    for (const { jobId, attempt } of answer.stop) {
      // It may just have ended by itself.
      const job = running.get(`${jobId} ${attempt}`)
      if (!job) continue
      log.info({ job: jobId, attempt }, 'job is not ours any more')
      job.abandon()
    }
    if (answer.drain) drain('the server asked it to end')
  }

  async function life(): Promise<string> {
    await new Promise<void>((resolve, reject) =>
      mkdir(directory, { recursive: true, mode: 0o711 }, (error) => (error ? reject(error) : resolve())),
    )
    const beating = heartbeats()
    try {
      await leases().catch((error) => {
        if (draining !== undefined) return
        if (!isOver(error)) log.error({ err: error }, 'no more jobs can be leased')
        drain((error as Error).message)
      })
      await settled()
    } finally {
      over.abort()
      await beating
    }
    const reason = draining ?? 'it was stopped'
    await server.ask('end', { reason }, { patienceMs: 60_000 }).catch((error) => {
      if (!isOver(error)) log.warn({ err: error }, 'the end could not be told')
    })
    await Promise.all([server.close(), client.close(), software.close()])
    rmSync(directory, { recursive: true, force: true })
    log.info({ reason }, 'pilot ends')
    return reason
  }

  /** Waits for running jobs. Who was stopped from outside waits a while, then hands them back. */
  async function settled(): Promise<void> {
    while (running.size > 0) {
      const all = Promise.all([...running.values()].map((job) => job.done))
      if (!told.signal.aborted) {
        await Promise.race([all, clock.sleep(LONGEST_RETRY_MS, wake.signal)])
        continue
      }
      await Promise.race([all, clock.sleep(config.drainSeconds * 1000)])
      for (const job of running.values()) job.handBack()
      await Promise.all([...running.values()].map((job) => job.done))
    }
  }

  return {
    ended: life(),
    stop() {
      told.abort()
      drain('it was stopped')
    },
  }
}

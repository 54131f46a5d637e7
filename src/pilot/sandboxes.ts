import { createHash } from 'node:crypto'
import { copyFile, link, lstat, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defineError } from '../kernel/errors.ts'
import { packArchive, unpackArchive } from '../storage/archive/archive.ts'
import { type Isolation, isolated } from './isolation.ts'
import { matching } from './outputs.ts'
import type { Server } from './server.ts'

const sandboxFailed = defineError('transient', 'input_failed')

interface SandboxDeps {
  readonly server: Server
  readonly isolation: Isolation
  readonly deathSignal: boolean
}
interface Held {
  readonly jobId: number
  readonly attempt: number
}
type Fields = Readonly<Record<string, string>>
interface Stored {
  readonly format: string
  readonly sha256: string
  readonly fields: Fields
}

/** Unpacks the sandboxes of a job into its directory, as the payload would: apart from everything else. Throws input_failed. */
export async function fetchSandboxes(
  deps: SandboxDeps,
  held: Held,
  place: { readonly home: string; readonly work: string; readonly diskMb: number },
): Promise<void> {
  const { sandboxes } = await deps.server.ask<{ sandboxes: Stored[] }>('sandboxes', held)
  for (const { format, sha256, fields } of sandboxes) {
    const file = join(place.home, 'sandbox')
    const sum = createHash('sha256')
    const handle = await open(file, 'w', 0o600)
    try {
      for await (const chunk of await deps.server.fetchSigned(fields)) {
        sum.update(chunk)
        await handle.write(chunk)
      }
    } finally {
      await handle.close()
    }
    if (sum.digest('hex') !== sha256) throw sandboxFailed('A sandbox arrived with other bytes than it has.')
    const { command } = isolated(
      deps.isolation,
      place.work,
      ['tar', '--no-same-owner', '-xf', '-'],
      deps.deathSignal,
    )
    const order = { tar: command, directory: place.work, mostBytes: place.diskMb * 2 ** 20 }
    await unpackArchive(file, format, order).catch((error: Error) => {
      throw sandboxFailed(`A sandbox cannot be unpacked: ${error.message}`, {}, error)
    })
    await rm(file)
  }
}

/**
 * Sends the small files home that a job wants back, its own standard output and error among them, and answers the
 * name of the archive; null when there is none of them.
 */
export async function storeSandbox(
  deps: SandboxDeps,
  held: Held,
  job: {
    readonly home: string
    readonly work: string
    readonly patterns: readonly string[]
    /** Files outside the working directory, by the names they have for the job. */
    readonly streams: Readonly<Record<string, string>>
  },
): Promise<string | null> {
  const staging = join(job.home, 'outbox')
  const chosen = new Map<string, string>()
  for (const pattern of job.patterns) {
    const stream = job.streams[pattern]
    if (stream !== undefined) chosen.set(pattern, stream)
    for (const name of await matching(job.work, pattern, new Set())) chosen.set(name, join(job.work, name))
  }
  let count = 0
  for (const [name, source] of chosen) {
    if (!(await lstat(source).catch(() => undefined))?.isFile()) continue
    const target = join(staging, name)
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await link(source, target).catch(() => copyFile(source, target))
    count++
  }
  if (count === 0) return null
  const file = join(job.home, 'outbox.tar.gz')
  const archive = await packArchive([{ directory: staging, name: '.' }], file)
  const { pfn, fields } = await deps.server.ask<{ pfn: string; fields: Fields | null }>('sandbox', {
    ...{ ...held, sha256: archive.sha256, bytes: archive.bytes },
  })
  if (fields) await deps.server.sendSigned(fields, file, archive.bytes)
  return pfn
}

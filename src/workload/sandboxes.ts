import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { type Db, isGridError, type Logger, type Tx, transaction, type Worker } from '../kernel/index.ts'
import type { StorageDriver } from '../storage/index.ts'
import { badTicket, invalidSandbox, sandboxMissing } from './errors.ts'
import * as store from './sandbox.store.ts'

export type { SandboxKind, SandboxRow } from './sandbox.store.ts'
export { dropSandboxesOfJobs, sandboxesOfJobs } from './sandbox.store.ts'

/** Code and logs travel as sandboxes; data do not. */
export const SANDBOX_BYTES = 100 << 20
/** A signed address is good for so long. */
export const TICKET_SECONDS = 300
export const SANDBOX_FORMATS = ['tar.bz2', 'tar.zst', 'tar.gz'] as const
/** Kept for so long after its last use when no job has it. */
const KEEP_MS = 7 * 86_400_000
const BATCH = 100
const AGAIN_MS = 600_000

export interface SandboxOwner {
  readonly vo: string
  readonly accountId: number
  readonly account: string
  readonly group: string
}

export interface SandboxFacts {
  readonly sha256: string
  readonly bytes: number
  readonly format: string
}

/** Fields of a form that lets its holder send, or an address that lets them read, one archive for a while. */
export interface SandboxTicket {
  readonly pfn: string
  readonly fields: Readonly<Record<string, string>>
}

export interface SandboxDeps {
  readonly db: Db
  readonly log: Logger
  readonly storage: Pick<StorageDriver, 'read' | 'write' | 'remove'>
  readonly sealKey: Uint8Array
}

export type Sandboxes = ReturnType<typeof createSandboxes>

/** Names look as the field's do: `SB:SandboxSE|/S3/kumi/VO/GROUP/USER/sha256:….tar.zst`; groups have dots for slashes. */
export const pfnOfSandbox = ({ vo, group, owner, sha256, format }: store.SandboxName): string =>
  `SB:SandboxSE|/S3/kumi/${vo}/${group}/${owner}/sha256:${sha256}.${format}`

export function parseSandbox(pfn: string): store.SandboxName | undefined {
  const parts =
    /^(?:SB:SandboxSE\|)?\/S3\/kumi\/([^/]+)\/([^/]+)\/([^/]+)\/sha256:([0-9a-f]{64})\.([a-z0-9.]+)$/.exec(
      pfn,
    )
  if (!parts) return undefined
  const [, vo, group, owner, sha256, format] = parts as unknown as string[]
  return { vo: vo!, group: group!, owner: owner!, sha256: sha256!, format: format! }
}

/** The archive of a name, also one whose bytes have not come yet. Throws sandbox_not_found. */
export async function sandboxOf(db: Db, pfn: string): Promise<store.SandboxRow> {
  const name = parseSandbox(pfn)
  const found = name && (await store.sandboxByName(db, name))
  if (!found) throw sandboxMissing(`There is no sandbox ${pfn.slice(0, 256)}.`)
  return found
}

/** Archives that travel with jobs: who may send and read which is signed into short-lived tickets, the bytes lie under their sha256. */
export function createSandboxes({ db, log, storage, sealKey }: SandboxDeps) {
  const key = Buffer.from(hkdfSync('sha256', sealKey, '', 'kumi sandbox ticket', 32))
  const sign = (...words: (string | number)[]) =>
    createHmac('sha256', key).update(words.join('\n')).digest('base64url')
  const pathOf = ({ vo, sha256, format }: store.SandboxName) => [
    vo,
    sha256.slice(0, 2),
    `${sha256}.${format}`,
  ]

  function ticket(operation: 'put' | 'get', row: store.SandboxRow, now: Date): SandboxTicket {
    const pfn = pfnOfSandbox(row)
    const expires = String(Math.floor(now.getTime() / 1000) + TICKET_SECONDS)
    const size = String(row.bytes)
    const signature = sign(operation, pfn, size, expires)
    return { pfn, fields: { pfn, size, expires, signature } }
  }

  /** Throws bad_ticket for anything that was not signed here for this, or is too old. */
  async function redeem(operation: 'put' | 'get', fields: Readonly<Record<string, string>>, now: Date) {
    const { pfn = '', size = '', expires = '', signature = '' } = fields
    const wanted = Buffer.from(sign(operation, pfn, size, expires))
    const given = Buffer.from(signature)
    if (wanted.length !== given.length || !timingSafeEqual(wanted, given))
      throw badTicket('This address was not signed here.')
    if (Number(expires) * 1000 < now.getTime()) throw badTicket('This address is too old; ask for a new one.')
    return sandboxOf(db, pfn)
  }

  return {
    /**
     * Names an archive that its owner is about to send. The ticket is null when its bytes are here already, sent by the
     * same owner. Throws invalid_sandbox.
     */
    async announce(
      owner: SandboxOwner,
      facts: SandboxFacts,
      now: Date,
    ): Promise<{ pfn: string; ticket: SandboxTicket | null }> {
      const { sha256, bytes, format } = facts
      if (bytes > SANDBOX_BYTES)
        throw invalidSandbox('A sandbox has at most 100 MiB; store what is larger as data.')
      if (!/^[0-9a-f]{64}$/.test(sha256) || !Number.isInteger(bytes) || bytes < 1)
        throw invalidSandbox('A sandbox needs its sha256 and its size.')
      if (!(SANDBOX_FORMATS as readonly string[]).includes(format))
        throw invalidSandbox(`A sandbox is a ${SANDBOX_FORMATS.join(', ')}.`)
      const { vo, accountId, account } = owner
      const group = owner.group.replace(/^\//, '').replaceAll('/', '.')
      const row = await transaction(db, (tx) =>
        store.announceSandbox(tx, now, {
          ...{ vo, ownerId: accountId, owner: account, group, sha256, format },
          bytes: BigInt(bytes),
        }),
      )
      return { pfn: pfnOfSandbox(row), ticket: row.storedAt ? null : ticket('put', row, now) }
    },

    /** Stores what was announced, when it is just that. Throws bad_ticket, size_mismatch, invalid_sandbox. */
    async accept(fields: Readonly<Record<string, string>>, body: AsyncIterable<Uint8Array>, now: Date) {
      const row = await redeem('put', fields, now)
      if (row.storedAt) {
        for await (const _ of body);
        return
      }
      const size = Number(fields.size)
      await storage.write(pathOf(row), summed(body, row.sha256), { overwrite: true, size })
      await store.markStored(db, now, row.id)
    },

    /** Throws sandbox_not_found when the bytes are not here. */
    ticketToRead(row: store.SandboxRow, now: Date): SandboxTicket {
      if (!row.storedAt)
        throw sandboxMissing(`The sandbox ${pfnOfSandbox(row)} was announced, but never sent.`)
      return ticket('get', row, now)
    },

    /** The bytes. Throws bad_ticket, sandbox_not_found. */
    async open(fields: Readonly<Record<string, string>>, now: Date) {
      const row = await redeem('get', fields, now)
      if (!row.storedAt) throw sandboxMissing(`The sandbox ${pfnOfSandbox(row)} is not here.`)
      return { bytes: row.bytes, body: await storage.read(pathOf(row)) }
    },

    /** Removes archives that no job has and nobody used for a week. */
    worker: {
      name: 'sandboxes',
      wakeOn: [],
      async tick(now) {
        await store.condemnSandboxes(db, new Date(now.getTime() - KEEP_MS), BATCH)
        const rows = await store.condemnedSandboxes(db, BATCH)
        for (const row of rows) {
          await transaction(db, async (tx) => {
            if (await store.forgetSandbox(tx, row)) await storage.remove(pathOf(row)).catch(unlessMissing)
          }).catch((error) => log.warn({ err: error, sandbox: row.sha256 }, 'sandbox not removed'))
        }
        return {
          changed: rows.length === BATCH ? BATCH : 0,
          nextWake: new Date(now.getTime() + AGAIN_MS),
        }
      },
    } satisfies Worker,
  }
}

function unlessMissing(error: unknown): void {
  if (!isGridError(error, 'no_such_file')) throw error
}

/** Passes bytes on, and throws at their end unless they are the ones that were announced. */
async function* summed(body: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const sum = createHash('sha256')
  for await (const chunk of body) {
    sum.update(chunk)
    yield chunk
  }
  if (sum.digest('hex') !== sha256) throw invalidSandbox('The bytes have another sha256 than was announced.')
}

/** Gives the archives named in a submission to its jobs. Throws invalid_sandbox for those that are not the owner's, or not here. */
export async function assignInputs(
  tx: Tx,
  now: Date,
  by: { readonly vo: string; readonly accountId: number },
  jobs: readonly { readonly id: bigint; readonly pfns: readonly string[] }[],
): Promise<void> {
  const rows = new Map<string, bigint>()
  for (const pfn of new Set(jobs.flatMap(({ pfns }) => pfns))) {
    const row = await sandboxOf(tx, pfn)
    if (row.vo !== by.vo || row.ownerId !== by.accountId)
      throw invalidSandbox(`The sandbox ${pfn} is not yours.`)
    if (!row.storedAt) throw invalidSandbox(`The sandbox ${pfn} was announced, but never sent.`)
    rows.set(pfn, row.id)
  }
  await give(
    tx,
    now,
    jobs.flatMap(({ id, pfns }) =>
      [...new Set(pfns)].map((pfn) => ({ jobId: id, sandboxId: rows.get(pfn)! })),
    ),
    'input',
  )
}

/** Gives a job the archive that one of its starts sent home. Throws invalid_sandbox, sandbox_not_found. */
export async function assignOutput(
  tx: Tx,
  now: Date,
  job: { readonly id: bigint; readonly vo: string; readonly ownerId: number },
  pfn: string,
): Promise<void> {
  const row = await sandboxOf(tx, pfn)
  if (row.vo !== job.vo || row.ownerId !== job.ownerId)
    throw invalidSandbox(`The sandbox ${pfn} is not the job owner's.`)
  await give(tx, now, [{ jobId: job.id, sandboxId: row.id }], 'output')
}

async function give(
  tx: Tx,
  now: Date,
  pairs: readonly { readonly jobId: bigint; readonly sandboxId: bigint }[],
  kind: store.SandboxKind,
): Promise<void> {
  const given = await store.assignSandboxes(
    tx,
    now,
    pairs.map((pair) => ({ ...pair, kind })),
  )
  if (given < new Set(pairs.map(({ sandboxId }) => sandboxId)).size)
    throw invalidSandbox('A sandbox was not stored, or was removed meanwhile; send it again.')
}

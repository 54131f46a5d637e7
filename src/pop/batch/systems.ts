import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isGridError } from '../../kernel/errors.ts'
import type { Logger } from '../../kernel/log.ts'
import { arcKind } from './arc-kind.ts'
import type { BatchSystem, PilotFile } from './batch-system.ts'
import { condorKind } from './condor-kind.ts'
import { badCluster } from './errors.ts'
import type { BatchKind, PlacedBatch, PlaceSetting, PlaceToken } from './kind.ts'
import { kubernetesKind } from './kubernetes-kind.ts'
import { localBatch } from './local.ts'
import { slurmKind } from './slurm-kind.ts'

/** Every kind of batch system but the processes of this machine. */
const KINDS: Readonly<Record<string, BatchKind<unknown>>> = {
  arc: arcKind,
  slurm: slurmKind,
  htcondor: condorKind,
  kubernetes: kubernetesKind,
}

/** Where an order of the server wants pilots. */
export interface BatchOrder {
  readonly kind: unknown
  /** Name of the place. */
  readonly resource: unknown
  /** How the place is reached, in the words of its kind. */
  readonly cluster: unknown
  /** What a pilot offers there. */
  readonly offer: PilotFile
}

export interface WatchedBatch {
  readonly name: string
  readonly batch: BatchSystem
  readonly offer: PilotFile
  /** The pause between two looks. */
  readonly lookMs: number
}

/** One step of a test, in words. */
export interface TestStep {
  readonly step: string
  readonly ok: boolean
  readonly message: string
}

/** The batch systems of a gateway. Places that an order named once are known from then on, also after a restart. */
export interface BatchSystems {
  readonly local: BatchSystem
  /** Throws bad_cluster. */
  of(order: BatchOrder): Promise<BatchSystem>
  all(): readonly WatchedBatch[]
  /** Goes all the way to a submission that is not made, and says how far it came. */
  test(order: BatchOrder): Promise<TestStep[]>
  close(): Promise<void>
}

interface Known {
  readonly text: string
  readonly offer: PilotFile
  readonly batch: PlacedBatch
}

const LOCAL_LOOK_MS = 2_000
const NAME = /^[A-Za-z0-9_-]{1,63}$/

export function batchSystems(options: {
  /** Of the gateway. */
  readonly directory: string
  readonly gateway: string
  /** The compiled pilot program. */
  readonly program: string
  readonly log: Logger
  readonly authorities: PlaceSetting['authorities']
  /** A token that opens the place of that name. */
  readonly tokenFor: (place: string) => Promise<PlaceToken>
}): BatchSystems {
  const { directory, gateway, program, log, authorities, tokenFor } = options
  const local = localBatch({ directory: join(directory, 'pilots'), program })
  const shared = join(directory, 'clusters')
  const open = new Map<string, Known>()
  mkdirSync(shared, { recursive: true, mode: 0o700 })
  for (const entry of readdirSync(shared).filter((name) => name.endsWith('.json'))) {
    try {
      const kept = JSON.parse(readFileSync(join(shared, entry), 'utf8'))
      known({ kind: 'slurm', ...kept, resource: entry.slice(0, -'.json'.length) })
    } catch (error) {
      log.warn({ file: entry, err: error }, 'not usable as the description of a cluster')
    }
  }

  /** The batch system of a place; one whose description changed is opened anew. */
  function known({ kind, resource, cluster, offer }: BatchOrder): PlacedBatch {
    const name = String(resource)
    if (!NAME.test(name)) throw badCluster(`"${name}" is no name of a place.`)
    const place = kindOf(kind).read(cluster)
    const text = JSON.stringify({ kind, cluster: place, offer })
    const before = open.get(name)
    if (before?.text === text) return before.batch
    const batch = kindOf(kind).open(place, {
      ...{ gateway, name, shared, program, log, authorities, directory: join(shared, name) },
      token: () => tokenFor(name),
    })
    // The same connection serves the new description; to end it would end what is asked there at this moment.
    if (before && before.batch.connection !== batch.connection) void before.batch.close()
    const file = join(shared, `${name}.json`)
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
    open.set(name, { text, offer, batch })
    return batch
  }

  return {
    local,
    async of(order) {
      if (order.kind === 'local') return local
      const batch = known(order)
      await batch.prepare()
      return batch
    },
    all: () => [
      { name: 'local', batch: local, offer: {}, lookMs: LOCAL_LOOK_MS },
      ...[...open].map(([name, { batch, offer }]) => ({
        ...{ name, batch, offer, lookMs: batch.pollSeconds * 1000 },
      })),
    ],
    async test(order) {
      const steps: TestStep[] = []
      await known(order).test(order.offer, async (step, work) => {
        try {
          const [value, message] = await work()
          steps.push({ step, ok: true, message })
          return value
        } catch (error) {
          if (!isGridError(error)) throw error
          steps.push({ step, ok: false, message: error.message })
          return undefined
        }
      })
      return steps
    },
    async close() {
      await Promise.all([...open.values()].map(({ batch }) => batch.close()))
    },
  }
}

function kindOf(kind: unknown): BatchKind<unknown> {
  const found = Object.entries(KINDS).find(([name]) => name === kind)?.[1]
  if (!found) throw badCluster(`This gateway has no batch system "${String(kind)}".`)
  return found
}

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isGridError } from '../../kernel/errors.ts'
import type { Logger } from '../../kernel/log.ts'
import type { BatchSystem } from './batch-system.ts'
import { type Cluster, readCluster } from './cluster.ts'
import { badCluster } from './errors.ts'
import { localBatch } from './local.ts'
import { type SlurmBatch, slurmBatch } from './slurm.ts'
import { connectionOf, ownKey } from './ssh.ts'

/** Where an order of the server wants pilots. */
export interface BatchOrder {
  readonly kind: unknown
  /** Name of the place. */
  readonly resource: unknown
  readonly cluster: unknown
  /** What a pilot offers there. */
  readonly offer: Offer
}

type Offer = Readonly<Record<string, unknown>>

export interface WatchedBatch {
  readonly name: string
  readonly batch: BatchSystem
  readonly offer: Offer
  /** The pause between two looks. */
  readonly lookMs: number
}

/** One step of a test, in words. */
export interface TestStep {
  readonly step: string
  readonly ok: boolean
  readonly message: string
}

/** The batch systems of a gateway. Clusters that an order named once are known from then on, also after a restart. */
export interface BatchSystems {
  readonly local: BatchSystem
  /** Throws bad_cluster. */
  of(order: BatchOrder): Promise<BatchSystem>
  all(): readonly WatchedBatch[]
  /** Goes all the way to a submission that is not made, and says how far it came. */
  test(order: BatchOrder): Promise<TestStep[]>
  close(): Promise<void>
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
}): BatchSystems {
  const { directory, gateway, program, log } = options
  const local = localBatch({ directory: join(directory, 'pilots'), program })
  const clusters = join(directory, 'clusters')
  const identity = join(clusters, 'key')
  const open = new Map<string, { text: string; cluster: Cluster; offer: Offer; batch: SlurmBatch }>()
  mkdirSync(clusters, { recursive: true, mode: 0o700 })
  for (const entry of readdirSync(clusters).filter((name) => name.endsWith('.json'))) {
    try {
      known(entry.slice(0, -'.json'.length), JSON.parse(readFileSync(join(clusters, entry), 'utf8')))
    } catch (error) {
      log.warn({ file: entry, err: error }, 'not usable as the description of a cluster')
    }
  }

  /** The batch system of a cluster; one whose description changed is opened anew. */
  function known(name: string, given: Pick<BatchOrder, 'cluster' | 'offer'>): SlurmBatch {
    if (!NAME.test(name)) throw badCluster(`"${name}" is no name of a place.`)
    const cluster = readCluster(given.cluster)
    const { offer } = given
    const text = JSON.stringify({ cluster, offer })
    const before = open.get(name)
    if (before?.text === text) return before.batch
    // The same connection serves the new description; to end it would end what is asked there at this moment.
    if (before && connectionOf(before.cluster) !== connectionOf(cluster)) void before.batch.close()
    const file = join(clusters, `${name}.json`)
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
    const batch = slurmBatch({
      ...{ cluster, identity, program, directory: join(clusters, name), space: `${gateway}-${name}` },
    })
    open.set(name, { text, cluster, offer, batch })
    return batch
  }

  const slurmOf = async (order: BatchOrder): Promise<SlurmBatch> => {
    await ownKey(identity, `kumi-gateway-${gateway}`)
    return known(String(order.resource), order)
  }

  return {
    local,
    async of(order) {
      if (order.kind === 'local') return local
      if (order.kind === 'slurm') return slurmOf(order)
      throw badCluster(`This gateway has no batch system "${String(order.kind)}".`)
    },
    all: () => [
      { name: 'local', batch: local, offer: {}, lookMs: LOCAL_LOOK_MS },
      ...[...open].map(([name, { batch, cluster, offer }]) => {
        const lookMs = cluster.pollSeconds * 1000
        return { name, batch, offer, lookMs }
      }),
    ],
    async test(order) {
      const steps: TestStep[] = []
      const step = async <T>(name: string, work: () => Promise<[T, string]>): Promise<T | undefined> => {
        try {
          const [value, message] = await work()
          steps.push({ step: name, ok: true, message })
          return value
        } catch (error) {
          if (!isGridError(error)) throw error
          steps.push({ step: name, ok: false, message: error.message })
          return undefined
        }
      }
      const key = await ownKey(identity, `kumi-gateway-${gateway}`)
      steps.push({ step: 'key', ok: true, message: key })
      const batch = await slurmOf(order)
      const pilots = await step('ssh', async () => [
        await batch.list(),
        'the login host answers; the directory there can be written',
      ])
      if (!pilots) return steps
      const { partition } = readCluster(order.cluster)
      const found = await step('partition', async () => {
        const partitions = await batch.partitions()
        const names = partitions.map(({ name }) => name).join(', ')
        const wanted = partitions.find(({ name }) => name === partition)
        if (partition !== '' && !wanted)
          throw badCluster(`There is no partition "${partition}"; there are ${names}.`)
        if (wanted && !wanted.up) throw badCluster(`The partition ${partition} is down.`)
        return [partitions, wanted ? `${partition}, at most ${wanted.limit}` : `the default one of ${names}`]
      })
      if (found) await step('submit', async () => [true, await batch.tryout(order.offer)])
      return steps
    },
    async close() {
      await Promise.all([...open.values()].map(({ batch }) => batch.close()))
    },
  }
}

import { join } from 'node:path'
import { type Cluster, readCluster } from './cluster.ts'
import { badCluster } from './errors.ts'
import type { BatchKind } from './kind.ts'
import { slurmBatch } from './slurm.ts'
import { connectionOf, ownKey } from './ssh.ts'

/** Slurm clusters behind ssh. The gateway has one key for all of them. */
export const slurmKind: BatchKind<Cluster> = {
  read: readCluster,
  open(cluster, { gateway, name, directory, shared, program }) {
    const identity = join(shared, 'key')
    const key = () => ownKey(identity, `kumi-gateway-${gateway}`)
    const batch = slurmBatch({ cluster, identity, program, directory, space: `${gateway}-${name}` })
    const { partition } = cluster
    return {
      ...batch,
      connection: connectionOf(cluster),
      pollSeconds: cluster.pollSeconds,
      prepare: async () => void (await key()),
      async test(offer, step) {
        await step('key', async () => [true, await key()])
        const pilots = await step('ssh', async () => [
          await batch.list(),
          'the login host answers; the directory there can be written',
        ])
        if (!pilots) return
        const found = await step('partition', async () => {
          const partitions = await batch.partitions()
          const names = partitions.map((one) => one.name).join(', ')
          const wanted = partitions.find((one) => one.name === partition)
          if (partition !== '' && !wanted)
            throw badCluster(`There is no partition "${partition}"; there are ${names}.`)
          if (wanted && !wanted.up) throw badCluster(`The partition ${partition} is down.`)
          const message = wanted ? `${partition}, at most ${wanted.limit}` : `the default one of ${names}`
          return [partitions, message]
        })
        if (found) await step('submit', async () => [true, await batch.tryout(offer)])
      },
    }
  },
}

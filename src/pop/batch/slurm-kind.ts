import { readCluster } from './cluster.ts'
import { badCluster } from './errors.ts'
import { loginKind } from './login-kind.ts'
import { slurmBatch } from './slurm.ts'

/** Slurm clusters behind ssh. */
export const slurmKind = loginKind({
  read: readCluster,
  open: slurmBatch,
  async test(batch, { partition }, offer, step) {
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
})

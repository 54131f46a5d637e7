import { readPool } from './cluster.ts'
import { condorBatch } from './condor.ts'
import { badCluster } from './errors.ts'
import { loginKind } from './login-kind.ts'

/** HTCondor pools whose access point is behind ssh. */
export const condorKind = loginKind({
  read: readPool,
  open: condorBatch,
  async test(batch, { host, directory }, offer, step) {
    const found = await step('pool', async () => {
      const { domain, all, sharing } = await batch.slots()
      // HTCondor starts jobs whose files are not sent along only where the file system is the same.
      if (sharing === 0)
        throw badCluster(
          `None of the ${all} slots says that it shares the file system of ${host} (FILESYSTEM_DOMAIN ${domain}), where ${directory} is: no pilot would start.`,
        )
      return [true, `${sharing} of ${all} slots share the file system ${domain}`]
    })
    if (found) await step('submit', async () => [true, await batch.tryout(offer)])
  },
})

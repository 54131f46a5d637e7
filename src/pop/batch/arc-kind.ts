import { join } from 'node:path'
import { arcBatch } from './arc.ts'
import { certificateCredential, tokenCredential } from './arc-credential.ts'
import { type ArcPlace, readArcPlace } from './arc-place.ts'
import { type Glue, list } from './arc-rest.ts'
import { badCluster } from './errors.ts'
import type { BatchKind } from './kind.ts'

/** Computing elements of ARC, by their REST interface. */
export const arcKind: BatchKind<ArcPlace> = {
  read: readArcPlace,
  open(place, { gateway, name, directory, shared, program, authorities, token }) {
    const credential =
      place.credential === 'certificate'
        ? certificateCredential(join(shared, `${name}.pem`))
        : tokenCredential(token)
    const batch = arcBatch({
      ...{ place, credential, directory, program, space: `${gateway}-${name}` },
      authorities: async () => (place.authority ? [place.authority] : authorities()),
    })
    const { url, queue } = place
    return {
      ...batch,
      connection: JSON.stringify([url, place.credential, place.audience, place.authority]),
      pollSeconds: place.pollSeconds,
      prepare: async () => undefined,
      async close() {
        batch.close()
      },
      async test(_offer, step) {
        const known = await step('credential', async () => [true, await credential.describe()])
        if (!known) return
        const version = await step('arc', async () => {
          const version = await batch.rest.version()
          return [version, `${new URL(url).host} answers, version ${version} of its interface`]
        })
        if (!version) return
        const jobs = await step('jobs', async () => {
          const jobs = await batch.rest.jobs()
          return [jobs, `it admits this gateway, and has ${jobs.size} of its jobs`]
        })
        if (!jobs) return
        await step('queue', async () => {
          const queues = queuesIn(await batch.rest.info())
          const names = queues.map(({ name }) => name).join(', ')
          const wanted = queues.find((one) => one.name === queue)
          if (queue !== '' && !wanted) throw badCluster(`There is no queue "${queue}"; there are ${names}.`)
          if (wanted && wanted.state !== '' && wanted.state !== 'production')
            throw badCluster(`The queue ${queue} is in the state "${wanted.state}".`)
          return [true, wanted ? queue : `the one that it chooses of ${names}`]
        })
      },
    }
  },
}

/** The queues that a computing element publishes: the mapping queues of its shares. */
function queuesIn(info: Glue): { name: string; state: string }[] {
  const shares = ['Domains', 'AdminDomain', 'Services', 'ComputingService', 'ComputingShare'].reduce<
    readonly (Glue | string)[]
  >((found, key) => found.flatMap((one) => (typeof one === 'string' ? [] : list(one[key]))), [info])
  const found = new Map<string, string>()
  for (const share of shares) {
    if (typeof share === 'string') continue
    const [name] = list(share.MappingQueue ?? share.Name)
    const [state] = list(share.ServingState)
    if (typeof name === 'string') found.set(name, typeof state === 'string' ? state : '')
  }
  return [...found].map(([name, state]) => ({ name, state }))
}

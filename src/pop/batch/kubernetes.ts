import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch-system.ts'
import { bundleOf } from './bundle.ts'
import { badCluster, clusterAway } from './errors.ts'
import { type KubernetesAccess, readKubeconfig } from './kubeconfig.ts'
import {
  dataOf,
  filesOf,
  inSpace,
  jobOf,
  type KubernetesEvent,
  type KubernetesJob,
  type KubernetesPod,
  nameOf,
  type StoredBundle,
  secretOf,
  short,
  spaceOf,
  stateOf,
} from './kubernetes-job.ts'
import type { KubernetesPlace } from './kubernetes-place.ts'
import { type Kind, type KubernetesObject, kubernetesRest, type RemoveOptions } from './kubernetes-rest.ts'

export interface KubernetesBatch extends BatchSystem {
  /** What opens the API server. Throws bad_cluster. */
  access(): KubernetesAccess
  version(): Promise<string>
  /** Lets the server judge a pilot of an offer without making one. Throws submit_refused, login_refused. */
  tryout(offer: PilotFile): Promise<void>
  close(): void
}

const STAMP = /^[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?$/
/** Objects of the cluster may have a MiB. */
const PART_BYTES = 900_000
const AT_ONCE = 100
const LOOK_MS = 500
const END_MOST_MS = 60_000

/**
 * Pilots as Jobs of Kubernetes, one each. Their names follow from their stamps, so that the API server itself refuses a
 * second one; their configuration is a Secret that ends with the Job. The program lies in ConfigMaps, once for each
 * version: images need nothing but a shell, tar, gzip and Node.
 */
export function kubernetesBatch(options: {
  readonly place: KubernetesPlace
  /** Of this gateway's pilots in the namespace: nobody else there uses it. */
  readonly space: string
  /** File with what opens the API server. */
  readonly kubeconfig: string
  /** The compiled pilot program. */
  readonly program: string
  readonly clock?: Clock
}): KubernetesBatch {
  const { place, program, clock = systemClock } = options
  const space = short(options.space, 12)
  const access = () => readKubeconfig(options.kubeconfig, place.url)
  const rest = kubernetesRest({ url: place.url, namespace: place.namespace, access })
  let shipped: Promise<StoredBundle> | undefined

  const jobs = () => rest.list<KubernetesJob>('jobs', { labels: inSpace(space) })
  const stampOf = ({ metadata }: KubernetesObject): string => metadata.labels?.['kumi.stamp'] ?? ''
  const removeAll = async (kind: Kind, stamps: readonly string[], wanted: RemoveOptions): Promise<void> => {
    for (let at = 0; at < stamps.length; at += AT_ONCE) {
      const some = stamps.slice(at, at + AT_ONCE).filter((stamp) => STAMP.test(stamp))
      if (some.length > 0)
        await rest.remove(kind, `${inSpace(space)},kumi.stamp in (${some.join(',')})`, wanted)
    }
  }

  const bundle = (): Promise<StoredBundle> => {
    shipped ??= ship().catch((error) => {
      shipped = undefined
      throw error
    })
    return shipped
  }
  async function ship(): Promise<StoredBundle> {
    const made = bundleOf(program, { node: false })
    const content = await wholeOf(made.archive())
    const name = made.name.slice(0, 16)
    const labels = { ...spaceOf(space), 'kumi.bundle': name }
    const parts: string[] = []
    for (let at = 0; at < content.length; at += PART_BYTES) {
      const part = `kumi-${space}-bundle-${name}-${parts.length}`
      const binaryData = { part: content.subarray(at, at + PART_BYTES).toString('base64') }
      await rest.create('configmaps', {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', immutable: true },
        ...{ metadata: { name: part, labels }, binaryData },
      })
      parts.push(part)
    }
    await removeOld(name)
    return { name, parts, program: made.program }
  }
  /** Bundles of former versions that no pilot waits with. */
  async function removeOld(present: string): Promise<void> {
    const labels = `${inSpace(space)},kumi.bundle,kumi.bundle!=${present}`
    const bundleNameOf = ({ metadata }: KubernetesObject) => metadata.labels?.['kumi.bundle'] ?? ''
    const old = new Set((await rest.list('configmaps', { labels })).map(bundleNameOf))
    if (old.size === 0) return
    for (const job of await jobs()) old.delete(bundleNameOf(job))
    for (const name of old)
      await rest.remove('configmaps', `${inSpace(space)},kumi.bundle=${name}`, {
        propagationPolicy: 'Background',
      })
  }

  async function look(): Promise<(BatchPilot & { uid: string })[]> {
    const found = await jobs()
    const pods = new Map<string, KubernetesPod[]>()
    for (const pod of await rest.list<KubernetesPod>('pods', { labels: inSpace(space) }))
      pods.set(stampOf(pod), [...(pods.get(stampOf(pod)) ?? []), pod])
    const bare = found.some((job) => !pods.has(stampOf(job)))
    const fields = 'involvedObject.kind=Job,reason=FailedCreate'
    const events = bare ? await rest.list<KubernetesEvent>('events', { fields }) : []
    const complaints = new Map(events.map(({ involvedObject, message }) => [involvedObject.name, message]))
    const now = clock.now()
    return found.map((job) => {
      const { name, uid } = job.metadata
      const state = stateOf(job, pods.get(stampOf(job)) ?? [], complaints.get(name), now)
      return { stamp: stampOf(job), reference: `job ${place.namespace}/${name}`, uid, ...state }
    })
  }

  /** The job of a pilot, whichever try made it. */
  async function jobFor(stamp: string, offer: PilotFile): Promise<string> {
    const made = await rest.create('jobs', jobOf(place, { space, stamp, offer, bundle: await bundle() }))
    const job = made ?? (await rest.get('jobs', nameOf(space, stamp)))
    if (!job) throw clusterAway(`The job of the pilot ${stamp} is gone again.`)
    return job.metadata.uid
  }

  const contentOf = (config: PilotFile): Record<string, string> =>
    filesOf(config, typeof config.ca === 'string' ? readFileSync(config.ca, 'utf8') : undefined)
  const active = async (stamps: readonly string[]): Promise<string[]> =>
    (await look())
      .filter(({ stamp, state }) => stamps.includes(stamp) && !isOver(state))
      .map(({ stamp }) => stamp)

  return {
    access,
    version: () => rest.version(),
    async submit(stamps, prepare) {
      for (const stamp of stamps)
        if (!STAMP.test(stamp)) throw badCluster(`"${stamp}" is no stamp of a pilot.`)
      if (stamps.length === 0) return
      const known = new Map((await look()).map((pilot) => [pilot.stamp, pilot]))
      for (const stamp of stamps) {
        const before = known.get(stamp)
        // One that waits may be without its configuration: the answer to its job was lost.
        if (before && (before.state !== 'Waiting' || (await rest.get('secrets', nameOf(space, stamp)))))
          continue
        const offer = await prepare(stamp)
        const uid = before?.uid ?? (await jobFor(stamp, offer))
        await rest.create('secrets', secretOf({ space, stamp, uid }, contentOf(offer)))
      }
    },
    list: async () => (await look()).map(({ uid: _, ...pilot }) => pilot),
    async renew(stamps, prepare) {
      const known = (await look()).filter(({ stamp }) => stamps.includes(stamp))
      for (const { stamp, uid } of known) {
        const files = contentOf(await prepare(stamp))
        if (!(await rest.patch('secrets', nameOf(space, stamp), { data: dataOf(files) })))
          await rest.create('secrets', secretOf({ space, stamp, uid }, files))
      }
    },
    async cancel(stamps, graceMs) {
      let left = await active(stamps)
      const wait = async (mostMs: number) => {
        const until = clock.now().getTime() + mostMs
        while (left.length > 0 && clock.now().getTime() < until) {
          await clock.sleep(LOOK_MS)
          left = await active(stamps)
        }
      }
      // A job stays until its pods are gone.
      await removeAll('jobs', left, { propagationPolicy: 'Foreground' })
      await wait(graceMs)
      await removeAll('pods', left, { propagationPolicy: 'Background', gracePeriodSeconds: 1 })
      await wait(END_MOST_MS)
      if (left.length > 0) throw clusterAway(`Kubernetes has not ended ${left.join(', ')} yet.`)
    },
    async forget(stamps) {
      const over = (await look()).filter(({ stamp, state }) => stamps.includes(stamp) && isOver(state))
      await removeAll(
        'jobs',
        over.map(({ stamp }) => stamp),
        { propagationPolicy: 'Background' },
      )
    },
    async tryout(offer) {
      const nothing = { name: 'none', parts: ['none'], program: 'main.js' }
      await rest.create('jobs', jobOf(place, { space, stamp: 'test', offer, bundle: nothing }), true)
    },
    close: () => rest.close(),
  }
}

const isOver = (state: BatchPilot['state']): boolean => state === 'Done' || state === 'Failed'

async function wholeOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

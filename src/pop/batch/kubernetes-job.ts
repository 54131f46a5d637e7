import { createHash } from 'node:crypto'
import type { BatchPilot, PilotFile } from './batch-system.ts'
import type { KubernetesPlace } from './kubernetes-place.ts'
import type { KubernetesObject } from './kubernetes-rest.ts'
import { amountOf, DRAIN_SECONDS, MARGIN_SECONDS } from './offers.ts'

export interface KubernetesJob extends KubernetesObject {
  readonly spec: { readonly suspend?: boolean }
  readonly status?: {
    readonly conditions?: readonly Condition[]
  }
}

export interface KubernetesPod extends KubernetesObject {
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly { readonly state?: ContainerState }[]
  }
}

export interface KubernetesEvent extends KubernetesObject {
  readonly involvedObject: { readonly name?: string }
  readonly message?: string
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string }
}

/** The program of pilots as it lies in the namespace. */
export interface StoredBundle {
  /** Equal content has an equal name. */
  readonly name: string
  /** Names of the objects that hold its parts. */
  readonly parts: readonly string[]
  /** The program, inside. */
  readonly program: string
}

const AT = '/run/kumi'
const STUCK_MS = 600_000
/** The program, unpacked, and what the shell leaves. */
const OWN_DISK_MB = 256
/** They do not get better by themselves. */
const HOPELESS = new Set([
  ...['InvalidImageName', 'ErrImageNeverPull', 'CreateContainerConfigError', 'CreateContainerError'],
  'RunContainerError',
])
const NO_IMAGE = new Set(['ErrImagePull', 'ImagePullBackOff'])
/** For an image of which nothing is known but that it has a shell, tar, gzip and Node. */
const START = [
  'umask 077',
  `cd ${AT}/scratch && mkdir app work || exit 1`,
  `cat ${AT}/bundle/part-* | gzip -dc | tar -xf - -C app || exit 1`,
  `exec "$1" --max-old-space-size=192 "app/$2" --config ${AT}/pilot/pilot.json`,
].join('\n')

export const short = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length)

/** The same for the same pilot: what is made twice is there already. */
export const nameOf = (space: string, stamp: string): string => `kumi-${space}-${short(stamp, 16)}`

/** Labels of everything that belongs to a gateway's place, and what finds it. */
export const spaceOf = (space: string) => ({ 'kumi.space': space })
export const inSpace = (space: string): string => `kumi.space=${space}`

export const namesOf = (space: string, stamp: string) => ({
  name: nameOf(space, stamp),
  labels: { ...spaceOf(space), 'kumi.stamp': stamp, 'app.kubernetes.io/managed-by': 'kumihimo' },
})

/** The configuration of a pilot, which ends with its job. */
export function secretOf(
  owner: { readonly space: string; readonly stamp: string; readonly uid: string },
  files: Readonly<Record<string, string>>,
) {
  const { space, stamp, uid } = owner
  const reference = { apiVersion: 'batch/v1', kind: 'Job', name: nameOf(space, stamp), uid }
  return {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
    metadata: { ...namesOf(space, stamp), ownerReferences: [reference] },
    data: dataOf(files),
  }
}

export const dataOf = (files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  )

/** What a pilot finds in its directory, given what it is told. */
export function filesOf(config: PilotFile, ca: string | undefined): Record<string, string> {
  const told = {
    ...{ ...config, directory: `${AT}/scratch/work`, drainSeconds: DRAIN_SECONDS },
    ...(ca !== undefined && { ca: `${AT}/pilot/ca.pem` }),
  }
  return { 'pilot.json': JSON.stringify(told), ...(ca !== undefined && { 'ca.pem': ca }) }
}

/**
 * One pilot: a pod that is started once, as nobody in particular, without rights in the cluster, as the "restricted"
 * standard for pods wants it. Its time is limited in the pod: a limit in the job would count the time in which it waits.
 */
export function jobOf(
  place: KubernetesPlace,
  wanted: {
    readonly space: string
    readonly stamp: string
    readonly offer: PilotFile
    readonly bundle: StoredBundle
  },
) {
  const { space, stamp, offer, bundle } = wanted
  const diskMb = amountOf(offer, 'diskMb', 100) + OWN_DISK_MB
  const resources = {
    cpu: String(amountOf(offer, 'cores', 1)),
    memory: `${amountOf(offer, 'memoryMb', 256)}Mi`,
    'ephemeral-storage': `${diskMb}Mi`,
  }
  const { name, labels } = namesOf(space, stamp)
  const user = place.userId
  const mount = (volume: string, readOnly: boolean) => ({
    ...{ name: volume, mountPath: `${AT}/${volume}`, readOnly },
  })
  const pod = {
    ...{ restartPolicy: 'Never', terminationGracePeriodSeconds: DRAIN_SECONDS + 10 },
    activeDeadlineSeconds: amountOf(offer, 'seconds', 60) + MARGIN_SECONDS,
    ...{ automountServiceAccountToken: false, enableServiceLinks: false },
    // Whatever a job leaves behind has somebody who sees to it.
    shareProcessNamespace: true,
    securityContext: {
      ...{ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      ...(user > 0 && { runAsUser: user, runAsGroup: user, fsGroup: user }),
    },
    containers: [
      {
        ...{ name: 'pilot', image: place.image },
        command: ['/bin/sh', '-c', START, 'pilot', place.node || 'node', bundle.program],
        env: [
          { name: 'HOME', value: `${AT}/scratch/work` },
          { name: 'TZ', value: 'UTC' },
        ],
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        resources: { requests: resources, limits: resources },
        volumeMounts: [mount('pilot', true), mount('bundle', true), mount('scratch', false)],
      },
    ],
    volumes: [
      { name: 'pilot', secret: { secretName: name, defaultMode: 0o440 } },
      {
        name: 'bundle',
        projected: {
          sources: bundle.parts.map((part, index) => ({
            configMap: {
              name: part,
              items: [{ key: 'part', path: `part-${String(index).padStart(3, '0')}` }],
            },
          })),
        },
      },
      { name: 'scratch', emptyDir: { sizeLimit: `${diskMb}Mi` } },
    ],
  }
  return {
    ...{ apiVersion: 'batch/v1', kind: 'Job' },
    metadata: { name, labels: { ...labels, 'kumi.bundle': bundle.name } },
    spec: {
      ...{ backoffLimit: 0, completions: 1, parallelism: 1, ttlSecondsAfterFinished: 604_800 },
      template: { metadata: { labels }, spec: pod },
    },
  }
}

/** What a job, its pods and what Kubernetes complained of say of a pilot. */
export function stateOf(
  job: KubernetesJob,
  pods: readonly KubernetesPod[],
  complaint: string | undefined,
  now: Date,
): Pick<BatchPilot, 'state' | 'reason'> {
  const is = (state: BatchPilot['state'], reason = '') => ({ state, reason: reason.trim() })
  const holds = (type: string) =>
    job.status?.conditions?.find((one) => one.type === type && one.status === 'True')
  if (holds('Complete')) return is('Done')
  const failure = holds('Failed')
  if (failure) return is('Failed', whyFailed(failure, pods))
  if (pods.some(({ status }) => status?.phase === 'Running')) return is('Running')
  if (job.spec.suspend) return is('Waiting', 'Kubernetes suspended it.')
  const pod = pods.find(({ status }) => status?.phase === 'Pending')
  // It has ended, and its job has not heard of it yet.
  if (!pod) return pods.length > 0 ? is('Running') : is('Waiting', complaint)
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting
  const unscheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  )
  const { reason = '', message = '' } = waiting ?? unscheduled ?? {}
  const text = [reason, message].filter(Boolean).join(': ')
  const since = now.getTime() - Date.parse(pod.metadata.creationTimestamp ?? now.toISOString())
  const stuck = HOPELESS.has(reason) || (NO_IMAGE.has(reason) && since > STUCK_MS)
  return stuck ? is('Failed', `Kubernetes cannot start it: ${text}`) : is('Waiting', text)
}

function whyFailed(failure: Condition, pods: readonly KubernetesPod[]): string {
  const [ended] = pods.flatMap(({ status }) => status?.containerStatuses?.[0]?.state?.terminated ?? [])
  const [taken] = pods.flatMap(({ status }) => (status?.reason ? [status] : []))
  if (taken) return `Kubernetes says ${taken.reason}: ${taken.message ?? ''}`
  if (!ended) return `Kubernetes says ${failure.reason}: ${failure.message ?? ''}`
  const killed = ended.reason && ended.reason !== 'Error' ? ` (${ended.reason})` : ''
  return `The pilot ended with ${ended.exitCode}${killed}. ${(ended.message ?? '').trim().slice(-300)}`
}

// Needs setpriv.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountsForbidden } from '../../../test/harness/foreign.ts'
import {
  GOOD_TOKEN,
  IMAGE,
  type KubernetesPeer,
  NAMESPACE,
  READER_TOKEN,
  startKubernetesPeer,
} from '../../../test/harness/kubernetes-peer.ts'
import { WAITING_PROGRAM } from '../../../test/harness/waiting-pilot.ts'
import { isGridError } from '../../kernel/errors.ts'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import { batchContract } from './batch.contract.ts'
import { type KubernetesBatch, kubernetesBatch } from './kubernetes.ts'
import { kubernetesKind } from './kubernetes-kind.ts'
import type { KubernetesPlace } from './kubernetes-place.ts'

const without = mountsForbidden()
let peer: KubernetesPeer
let kubeconfig: string
const opened: KubernetesBatch[] = []
const mark = () => join(peer.directory, 'begun')
const SOON = { timeout: 30_000, interval: 50 }
const offer = { cores: 1, memoryMb: 256, diskMb: 100, seconds: 600 }
const place = (more: Partial<KubernetesPlace> = {}): KubernetesPlace => ({
  ...{ url: peer.url, namespace: NAMESPACE, image: IMAGE, node: '', userId: 1000, pollSeconds: 1 },
  ...more,
})
const again = (
  more: Partial<KubernetesPlace> = {},
  { file = kubeconfig, clock = systemClock }: { file?: string; clock?: Clock } = {},
): KubernetesBatch => {
  const program = join(peer.directory, 'pilot.mjs')
  const batch = kubernetesBatch({ place: place(more), kubeconfig: file, program, space: 'kek/lab', clock })
  opened.push(batch)
  return batch
}
const pilot = (stamp: string, behaviour: { code: number } | 'forever') => ({
  ...{ ...offer, stamp, mark: mark(), token: 'secret' },
  ...(behaviour === 'forever' ? {} : behaviour),
})
const order = async (stamp: string) => pilot(stamp, 'forever')
const one = async (batch: KubernetesBatch, stamp: string) =>
  (await batch.list()).find((found) => found.stamp === stamp)
const begun = () => readFileSync(mark(), 'utf8').split('\n').filter(Boolean)
const configOf = (secret: unknown) => {
  const { data } = secret as { data: Record<string, string> }
  return JSON.parse(Buffer.from(data['pilot.json']!, 'base64').toString()) as Record<string, unknown>
}

beforeAll(async () => {
  peer = await startKubernetesPeer()
  // Pods are other users of this machine.
  chmodSync(peer.directory, 0o755)
  kubeconfig = join(peer.directory, 'kubeconfig')
  peer.kubeconfig(kubeconfig, { token: GOOD_TOKEN })
  writeFileSync(join(peer.directory, 'pilot.mjs'), WAITING_PROGRAM)
  writeFileSync(mark(), '')
  chmodSync(mark(), 0o666)
})
afterAll(async () => {
  for (const batch of opened) batch.close()
  await peer.stop()
})

describe.skipIf(without)('with the node of the stand-in', () => {
  batchContract('kubernetes', () => ({
    ...{ mark: mark(), again, pilot },
    kill: async (stamp) => peer.kill(stamp),
  }))

  test('a pilot is one job with a secret of its own, and nothing of it is left when it is forgotten', async () => {
    writeFileSync(mark(), '')
    const batch = again()
    await batch.submit(['tidy', 'other'], async (stamp) => pilot(stamp, { code: 0 }))
    await expect.poll(async () => (await one(batch, 'tidy'))?.state, SOON).toBe('Done')
    expect(peer.objects('jobs').map(({ metadata }) => metadata.labels?.['kumi.stamp'])).toEqual([
      'tidy',
      'other',
    ])
    expect(configOf(peer.objects('secrets')[0])).toMatchObject({ directory: '/run/kumi/scratch/work' })
    await expect.poll(async () => (await one(batch, 'other'))?.state, SOON).toBe('Done')
    await batch.forget(['tidy', 'other'])
    expect(peer.objects('jobs')).toEqual([])
    await expect.poll(() => [...peer.objects('pods'), ...peer.objects('secrets')], SOON).toEqual([])
    expect(peer.objects('configmaps')).toHaveLength(1)
  })

  test('two tries at the same time make one pilot', async () => {
    writeFileSync(mark(), '')
    const [first, second] = [again(), again()]
    // The server lets one of them make the job.
    await Promise.all([first.submit(['race'], order), second.submit(['race'], order)])
    await expect.poll(begun, SOON).toEqual(['race'])
    await first.cancel(['race'], 5000)
    expect(begun()).toEqual(['race'])
    expect(await first.list()).toEqual([])
  })

  test('one that fails says why, with what it wrote last', async () => {
    const batch = again()
    await batch.submit(['broken'], async (stamp) => ({ ...pilot(stamp, 'forever'), mark: '/nowhere/at/all' }))
    await expect
      .poll(async () => one(batch, 'broken'), SOON)
      .toMatchObject({ state: 'Failed', reason: expect.stringMatching(/ended with 1\. [\s\S]*\/nowhere/) })
    await batch.forget(['broken'])
  })
})

describe('pilots at a Kubernetes cluster', () => {
  test('wait while nothing has room for them, with the reason, and get a new configuration', async () => {
    const batch = again()
    await batch.submit(['large'], async (stamp) => ({ ...(await order(stamp)), cores: 64 }))
    await expect
      .poll(async () => one(batch, 'large'), SOON)
      .toMatchObject({
        state: 'Waiting',
        reason: expect.stringMatching(/^Unschedulable: .*Insufficient cpu/),
      })
    await batch.renew(['large'], async (stamp) => ({ ...(await order(stamp)), token: 'newer' }))
    expect(configOf(peer.objects('secrets')[0])).toMatchObject({ token: 'newer' })
    const large = async (stamp: string) => ({ ...(await order(stamp)), cores: 64, token: 'newest' })
    // Jobs are made before their configuration: the next try, or the next renewal, makes up for what is missing.
    for (const again of [() => batch.submit(['large'], large), () => batch.renew(['large'], large)]) {
      peer.lose('secrets')
      await again()
      expect(configOf(peer.objects('secrets')[0])).toMatchObject({ token: 'newest' })
    }
    await batch.cancel(['large'], 0)
    expect(await batch.list()).toEqual([])
  })

  test('whose image cannot be had wait with the reason, and fail when it does not come for ten minutes', async () => {
    const image = 'registry.example/none:1'
    const batch = again({ image })
    await batch.submit(['imageless'], order)
    await expect
      .poll(async () => one(batch, 'imageless'), SOON)
      .toMatchObject({ state: 'Waiting', reason: expect.stringMatching(/^ImagePullBackOff: .*none:1/) })
    const later = { ...systemClock, now: () => new Date(Date.now() + 11 * 60_000) }
    expect(await one(again({ image }, { clock: later }), 'imageless')).toMatchObject({
      ...{ state: 'Failed', reason: expect.stringMatching(/cannot start it: ImagePullBackOff/) },
    })
    await again({ image }, { clock: later }).forget(['imageless'])
    expect(await batch.list()).toEqual([])
  })

  test('over the quota of jobs are refused; over that of pods they wait with what Kubernetes says', async () => {
    const batch = again()
    peer.quota({ jobs: 0 })
    await expect(batch.submit(['over'], order)).rejects.toMatchObject({
      ...{ code: 'submit_refused', message: expect.stringMatching(/exceeded quota/) },
    })
    expect(await batch.list()).toEqual([])
    peer.quota({ pods: 0 })
    await batch.submit(['podless'], order)
    await expect
      .poll(async () => one(batch, 'podless'), SOON)
      .toMatchObject({ state: 'Waiting', reason: expect.stringMatching(/exceeded quota/) })
    await batch.cancel(['podless'], 0)
    peer.quota({})
  })

  test('are neither lost nor doubled while the server is away', async () => {
    const batch = again()
    const large = async (stamp: string) => ({ ...(await order(stamp)), cores: 64 })
    await batch.submit(['steady'], large)
    const [before] = peer.objects('jobs').map(({ metadata }) => metadata.uid)
    await peer.away()
    await expect(batch.list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    await expect(batch.submit(['steady'], large)).rejects.toMatchObject({ kind: 'transient' })
    await peer.back()
    await batch.submit(['steady'], large)
    expect(peer.objects('jobs').map(({ metadata }) => metadata.uid)).toEqual([before])
    await batch.cancel(['steady'], 0)
  })

  test('say what is wrong: a file others may read, another cluster, no rights, no namespace, wrong words', async () => {
    const other = (name: string, user: Readonly<Record<string, unknown>>, authority?: string): string => {
      const file = join(peer.directory, name)
      peer.kubeconfig(file, user, authority)
      return file
    }
    const refused = (file: string, more: Partial<KubernetesPlace> = {}) =>
      expect(again(more, { file }).submit(['x1'], order)).rejects
    await refused(other('wrong', { token: 'another' })).toMatchObject({ code: 'login_refused' })
    await refused(other('reader', { token: READER_TOKEN })).toThrow(
      /cannot create resource .*Give its account/,
    )
    await refused(other('exec', { exec: { command: 'get-token' } })).toThrow(/are not run/)
    await refused(kubeconfig, { url: 'https://127.0.0.2:6443' }).toThrow(/is for https:\/\/127\.0\.0\.1/)
    await refused(join(peer.directory, 'absent')).toThrow(/kubectl config view/)
    await refused(kubeconfig, { namespace: 'none' }).toMatchObject({ code: 'bad_cluster' })
    const { authority } = peer.certificate
    await refused(other('foreign', { token: GOOD_TOKEN }, authority)).toThrow(
      /not certified by the authority/,
    )
    const open = other('open', { token: GOOD_TOKEN })
    chmodSync(open, 0o644)
    await refused(open).toThrow(/0600/)
    expect(() => kubernetesKind.read(place({ image: 'a b' }))).toThrow(/image/)
    expect(() => kubernetesKind.read(place({ url: 'http://k8s.example' }))).toThrow(/url/)
    expect(peer.objects('jobs')).toEqual([])
  })

  test('are made for a client certificate as for a token', async () => {
    const { certificate, key } = peer.certificate
    const file = join(peer.directory, 'certified')
    peer.kubeconfig(file, { 'client-certificate': certificate, 'client-key': key })
    const batch = again({}, { file })
    expect(batch.access().owner).toMatch(/certificate of O=grid, CN=pilots, until/)
    await batch.submit(['certified'], async (stamp) => ({ ...(await order(stamp)), cores: 64 }))
    expect(await one(batch, 'certified')).toMatchObject({ state: 'Waiting' })
    await batch.cancel(['certified'], 0)
  })

  test('are nobody in particular, without rights in the cluster, and limited to their offer', async () => {
    const batch = again()
    await batch.submit(['plain'], async (stamp) => ({ ...(await order(stamp)), cores: 64 }))
    const [job] = peer.objects('jobs')
    const resources = { cpu: '64', memory: '256Mi', 'ephemeral-storage': '356Mi' }
    expect(job?.spec).toMatchObject({
      backoffLimit: 0,
      template: {
        spec: {
          ...{ restartPolicy: 'Never', activeDeadlineSeconds: 900, automountServiceAccountToken: false },
          securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 },
          containers: [
            {
              resources: { requests: resources, limits: resources },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    })
    await batch.cancel(['plain'], 0)
  })

  test('at a new place are tested step by step up to a submission that is not made', async () => {
    const directory = join(peer.directory, 'place')
    const kind = kubernetesKind.open(kubernetesKind.read(place()), {
      ...{ gateway: 'kek', name: 'mito', shared: peer.directory, directory },
      ...{ program: join(peer.directory, 'pilot.mjs'), log: undefined as never },
      ...{ authorities: async () => [], token: async () => Promise.reject(new Error('no token is needed')) },
    })
    const steps = async (): Promise<string[]> => {
      const told: string[] = []
      await kind.test(offer, async (step, work) => {
        try {
          const [value, message] = await work()
          told.push(`ok ${step}: ${message}`)
          return value
        } catch (error) {
          told.push(`FAIL ${step}: ${isGridError(error) ? error.message : error}`)
          return undefined
        }
      })
      return told
    }
    expect(await steps()).toEqual([expect.stringMatching(/^FAIL credential: There is no .*kubeconfig/)])
    mkdirSync(directory, { recursive: true })
    peer.kubeconfig(join(directory, 'kubeconfig'), { token: GOOD_TOKEN })
    expect(await steps()).toEqual([
      ...[expect.stringMatching(/^ok credential: token of/), expect.stringMatching(/^ok server: .*v1\.34/)],
      ...[expect.stringMatching(/^ok namespace: /), expect.stringMatching(/^ok submit: a job with registry/)],
    ])
    expect(peer.objects('jobs')).toEqual([])
    await kind.close()
  })
})

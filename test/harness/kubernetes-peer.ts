import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { localCertificates } from './certificates.ts'
import { kubernetesNode } from './kubernetes-node.ts'
import { type Fields, type Held, KINDS, type Kind, objectStore, Refusal } from './kubernetes-objects.ts'
import { opensslPki } from './pki.ts'

/**
 * A stand-in for a Kubernetes cluster, for no real one can be had in tests: the part of its API that pilots use, the
 * controllers of jobs and of what is left behind, and a node that runs the commands of pods as processes. Needs root.
 */
export interface KubernetesPeer {
  readonly url: string
  readonly directory: string
  /** A kubeconfig in JSON of a user, and whom the server must be certified by: its own authority, or that of clients. */
  kubeconfig(file: string, user: Fields, authority?: string): void
  /** Of a client whom the server knows by it, and of the authority that it is from. */
  readonly certificate: { readonly certificate: string; readonly key: string; readonly authority: string }
  /** Objects that there are. */
  objects(kind: Kind): Held[]
  /** Takes all of a kind away, as somebody at the cluster could. */
  lose(kind: Kind): void
  /** At most so many jobs and pods may be made from now on. */
  quota(most: { jobs?: number; pods?: number }): void
  /** Refuses connections until it is back. */
  away(): Promise<void>
  back(): Promise<void>
  kill(stamp: string): void
  stop(): Promise<void>
}

export const GOOD_TOKEN = 'token-of-the-gateway'
export const READER_TOKEN = 'token-of-a-reader'
export const NAMESPACE = 'grid'
export const IMAGE = 'registry.example/node:22'
const VERBS: Readonly<Record<string, string>> = { POST: 'create', DELETE: 'deletecollection', PATCH: 'patch' }

export async function startKubernetesPeer(): Promise<KubernetesPeer> {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-kubernetes-'))
  const { files, tls } = await localCertificates(directory)
  const pki = opensslPki()
  const authority = pki.authority('/O=grid/CN=clients')
  const person = pki.make({ subject: '/O=grid/CN=pilots', issuer: authority })
  let most: { jobs?: number; pods?: number } = {}
  let due = false
  // What follows from a change is done after it, as by controllers that watch.
  const store = objectStore(NAMESPACE, () => {
    if (due) return
    due = true
    setTimeout(() => {
      due = false
      control()
    }, 10)
  })
  const node = kubernetesNode(directory, store, [IMAGE])

  function control(): void {
    for (const job of store.values('jobs')) {
      const { uid, deletionTimestamp } = job.metadata
      const pods = store.values('pods').filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === uid)
      const status = (job.status ?? {}) as { conditions?: object[]; startTime?: string; failed?: number }
      if (!status.conditions && !deletionTimestamp) {
        if (pods.length === 0 && !status.failed) makePod(job)
        judge(job, pods, status)
      }
      for (const pod of pods)
        if (pod.metadata.deletionTimestamp && !node.runs(pod)) {
          store.drop(pod)
          if (!status.conditions) job.status = { ...(job.status as object), failed: 1 }
        }
      store.finish(job)
    }
    for (const pod of store.values('pods'))
      if (pod.metadata.deletionTimestamp && !node.runs(pod)) store.drop(pod)
    node.look()
  }

  function makePod(job: Held): void {
    const { name, uid } = job.metadata
    const { template } = job.spec as {
      template: { metadata: { labels: Record<string, string> }; spec: object }
    }
    if (store.values('pods').length >= (most.pods ?? Number.POSITIVE_INFINITY)) {
      const event = `${name}.quota`
      if (store.values('events').some(({ metadata }) => metadata.name === event)) return
      store.create('events', {
        ...{ apiVersion: 'v1', kind: 'Event', metadata: { name: event }, reason: 'FailedCreate' },
        involvedObject: { kind: 'Job', name },
        message: `Error creating: pods "${name}-" is forbidden: exceeded quota: grid, requested: pods=1`,
      })
      return
    }
    store.create('pods', {
      ...{ apiVersion: 'v1', kind: 'Pod', spec: template.spec, status: { phase: 'Pending' } },
      metadata: {
        ...{ name: `${name}-${uid.slice(0, 5)}`, labels: { ...template.metadata.labels, 'job-name': name } },
        ownerReferences: [{ name, uid }],
      },
    })
    job.status = { ...(job.status as object), startTime: new Date().toISOString(), active: 1 }
  }

  /** With a backoff limit of 0 the first pod decides. */
  function judge(job: Held, pods: readonly Held[], status: { failed?: number }): void {
    const phases = pods.map((pod) => (pod.status as { phase: string }).phase)
    const over = (type: string, more: object): void => {
      job.status = {
        ...(job.status as object),
        ...more,
        active: 0,
        conditions: [{ type, status: 'True', ...more }],
      }
      store.touch(job)
    }
    if (phases.includes('Succeeded')) over('Complete', { succeeded: 1 })
    else if (phases.includes('Failed') || status.failed)
      over('Failed', {
        ...{ failed: 1, reason: 'BackoffLimitExceeded' },
        message: 'Job has reached the specified backoff limit',
      })
  }

  /** Who asks; throws where nobody knows. */
  function userOf(request: IncomingMessage): string {
    if ((request.socket as TLSSocket).authorized) return 'pilots'
    const token = request.headers.authorization?.replace(/^Bearer /, '')
    if (token === GOOD_TOKEN) return 'system:serviceaccount:grid:pilots'
    if (token === READER_TOKEN) return 'system:serviceaccount:grid:reader'
    throw new Refusal(401, 'Unauthorized', 'Unauthorized')
  }

  function answer(request: IncomingMessage, body: Fields): object {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://peer')
    const user = userOf(request)
    if (pathname === '/version') return { major: '1', minor: '34', gitVersion: 'v1.34.0-standin' }
    const found = /^\/(?:api|apis\/batch)\/v1\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(pathname)
    const [, namespace, kind, name] = found ?? []
    if (!kind || !(kind in KINDS))
      throw new Refusal(404, 'NotFound', 'the server could not find the requested resource')
    const resource = kind as Kind
    const { group } = KINDS[resource]
    const verb = VERBS[request.method ?? '']
    if (verb && user.endsWith(':reader'))
      throw new Refusal(
        403,
        'Forbidden',
        `${kind}${group && `.${group}`} is forbidden: User "${user}" cannot ${verb} resource "${kind}" in API group "${group}" in the namespace "${namespace}"`,
      )
    if (namespace !== NAMESPACE) {
      if (request.method === 'POST') throw new Refusal(404, 'NotFound', `namespaces "${namespace}" not found`)
      return { kind: 'List', items: [], metadata: {} }
    }
    const labels = searchParams.get('labelSelector') ?? ''
    const fields = searchParams.get('fieldSelector') ?? ''
    switch (request.method) {
      case 'POST':
        if (kind === 'jobs' && store.values('jobs').length >= (most.jobs ?? Number.POSITIVE_INFINITY))
          throw new Refusal(
            403,
            'Forbidden',
            `jobs.batch "${(body.metadata as { name: string }).name}" is forbidden: exceeded quota: grid, requested: count/jobs.batch=1`,
          )
        return store.create(resource, body, searchParams.get('dryRun') === 'All')
      case 'PATCH':
        return store.patch(resource, name ?? '', body)
      case 'DELETE':
        for (const object of store.select(resource, labels, fields)) {
          if (resource === 'pods') object.graceSeconds = body.gracePeriodSeconds
          store.remove(object, String(body.propagationPolicy ?? 'Background'))
        }
        return { kind: 'Status', status: 'Success' }
      default: {
        if (name) return store.get(resource, name)
        const limit = Number(searchParams.get('limit') ?? 0) || Number.POSITIVE_INFINITY
        const after = Buffer.from(searchParams.get('continue') ?? '', 'base64').toString()
        const rest = store.select(resource, labels, fields).filter(({ metadata }) => metadata.name > after)
        const items = rest.slice(0, limit)
        const next = rest.length > limit ? Buffer.from(items.at(-1)!.metadata.name).toString('base64') : ''
        const metadata = { resourceVersion: store.version(), ...(next && { continue: next }) }
        return {
          kind: `${KINDS[resource].kind}List`,
          apiVersion: KINDS[resource].apiVersion,
          metadata,
          items,
        }
      }
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (code: number, content: object): void => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(content))
    }
    try {
      let text = ''
      for await (const part of request) text += part
      send(request.method === 'POST' ? 201 : 200, answer(request, text ? JSON.parse(text) : {}))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const { code, reason, message } = error
      send(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code })
    }
  }
  const server = createServer(
    { ...tls, ca: authority.pem, requestCert: true, rejectUnauthorized: false },
    (request, response) => void serve(request, response),
  )
  const listen = (port: number) => new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done())
      server.closeAllConnections()
    })
  await listen(0)
  const { port } = server.address() as AddressInfo
  const url = `https://127.0.0.1:${port}`

  return {
    ...{ url, directory, away: close, back: () => listen(port) },
    certificate: { ...person, authority: authority.certificate },
    kubeconfig(file, user, certifies = files.ca) {
      const config = {
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'grid' },
        contexts: [{ name: 'grid', context: { cluster: 'peer', user: 'pilots', namespace: NAMESPACE } }],
        clusters: [{ name: 'peer', cluster: { server: url, 'certificate-authority': certifies } }],
        users: [{ name: 'pilots', user }],
      }
      writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
    },
    objects: (kind) => store.values(kind),
    lose(kind) {
      for (const object of store.values(kind)) store.drop(object)
    },
    quota(wanted) {
      most = wanted
      control()
    },
    kill(stamp) {
      const pod = store.values('pods').find(({ metadata }) => metadata.labels?.['kumi.stamp'] === stamp)
      if (pod) node.kill(pod)
    },
    async stop() {
      node.stop()
      await close()
      pki.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

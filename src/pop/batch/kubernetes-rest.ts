import type { IncomingMessage } from 'node:http'
import { isGridError } from '../../kernel/errors.ts'
import { guardedOutbound, type Outbound, type OutboundRequest } from '../../storage/outbound.ts'
import { badCluster, clusterAway, clusterFailed, loginRefused, submitRefused } from './errors.ts'
import type { KubernetesAccess } from './kubeconfig.ts'

/** An object as the API server gives it. */
export interface KubernetesObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly labels?: Readonly<Record<string, string>>
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
  }
}

export interface KubernetesRest {
  /** Version of the server. */
  version(): Promise<string>
  /** What was made; undefined: it is there already. `dryRun`: it is only looked at, not made. */
  create(kind: Kind, object: object, dryRun?: boolean): Promise<KubernetesObject | undefined>
  get<T extends KubernetesObject>(kind: Kind, name: string): Promise<T | undefined>
  /** All with these labels and fields, in parts. */
  list<T extends KubernetesObject>(kind: Kind, selector: Selector): Promise<T[]>
  /** Whether there was one to change. */
  patch(kind: Kind, name: string, change: object): Promise<boolean>
  /** Ends all with these labels; what belongs to them ends with them: before (Foreground) or after (Background). */
  remove(kind: Kind, labels: string, options: RemoveOptions): Promise<void>
  close(): void
}

export interface Selector {
  readonly labels?: string
  readonly fields?: string
}

export interface RemoveOptions {
  readonly propagationPolicy: 'Foreground' | 'Background'
  readonly gracePeriodSeconds?: number
}

export type Kind = 'jobs' | 'pods' | 'secrets' | 'configmaps' | 'events'

interface Answer {
  readonly status: number
  readonly body: {
    readonly message?: string
    readonly reason?: string
    readonly gitVersion?: string
    readonly items?: unknown[]
    readonly metadata?: { readonly continue?: string }
  }
}

const ANSWER_MOST = 64 << 20
const REQUEST_MS = 30_000
const PART = 500

/** The part of the Kubernetes API that pilots need, in one namespace. https://kubernetes.io/docs/reference/kubernetes-api/ */
export function kubernetesRest(options: {
  readonly url: string
  readonly namespace: string
  /** Throws bad_cluster. */
  readonly access: () => KubernetesAccess
}): KubernetesRest {
  const { namespace } = options
  const url = new URL(options.url)
  const base = options.url.replace(/\/$/, '')
  let way: { key: string; outbound: Outbound } | undefined

  function outbound({ key, authority, identity }: KubernetesAccess): Outbound {
    if (way?.key === key) return way.outbound
    way?.outbound.close()
    const allowed = [`${url.hostname}:${url.port || 443}`]
    way = { key, outbound: guardedOutbound({ allowed, ca: authority, ...(identity && { identity }) }) }
    return way.outbound
  }
  const pathOf = (kind: Kind): string =>
    `${kind === 'jobs' ? '/apis/batch/v1' : '/api/v1'}/namespaces/${namespace}/${kind}`

  async function call(
    method: OutboundRequest['method'],
    path: string,
    given?: object,
    type = 'application/json',
  ): Promise<Answer> {
    const access = options.access()
    const content = given && Buffer.from(JSON.stringify(given))
    let answer: Answer
    try {
      const said = await outbound(access)({
        ...{ method, url: `${base}${path}`, party: 'destination', anyStatus: true },
        signal: AbortSignal.timeout(REQUEST_MS),
        headers: {
          accept: 'application/json',
          ...(access.token && { authorization: `Bearer ${access.token}` }),
          ...(content && { 'content-type': type, 'content-length': String(content.length) }),
        },
        ...(content && { body: once(content) }),
      })
      const text = await textOf(said)
      answer = { status: said.statusCode ?? 0, body: parsed(text, said, url.host) }
    } catch (error) {
      if (isGridError(error) && !error.code.startsWith('remote_')) throw error
      const { code = '', message = '' } = ((error as Error).cause ?? {}) as {
        code?: string
        message?: string
      }
      if (/CERT|SIGNATURE|ALTNAME/.test(code))
        throw badCluster(`${url.host} is not certified by the authority in the kubeconfig: ${message}.`)
      const why = isGridError(error) ? error.message : 'it did not answer in time.'
      throw clusterAway(`Kubernetes at ${url.host} cannot be reached: ${why}`, {}, error)
    }
    return judged(answer, url.host, namespace)
  }

  return {
    version: async () => String((await call('GET', '/version')).body.gitVersion),
    async create(kind, object, dryRun = false) {
      const { status, body } = await call('POST', `${pathOf(kind)}${dryRun ? '?dryRun=All' : ''}`, object)
      if (status === 404) throw badCluster(`Kubernetes at ${url.host} says: ${body.message}`)
      // A quota that several changed at once is a conflict, too.
      if (status === 409 && body.reason !== 'AlreadyExists')
        throw clusterAway(`Kubernetes at ${url.host} says: ${body.message}`)
      return status === 409 ? undefined : (body as unknown as KubernetesObject)
    },
    async get<T>(kind: Kind, name: string) {
      const { status, body } = await call('GET', `${pathOf(kind)}/${name}`)
      return status === 404 ? undefined : (body as T)
    },
    async list<T>(kind: Kind, { labels, fields }: Selector) {
      const query = new URLSearchParams({ limit: String(PART) })
      if (labels) query.set('labelSelector', labels)
      if (fields) query.set('fieldSelector', fields)
      const found: T[] = []
      for (;;) {
        const { status, body } = await call('GET', `${pathOf(kind)}?${query}`)
        // It took so long that the server forgot where the list was.
        if (status === 410) throw clusterAway(`Kubernetes at ${url.host} says: ${body.message}`)
        found.push(...((body.items ?? []) as T[]))
        const next = body.metadata?.continue
        if (!next) return found
        query.set('continue', next)
      }
    },
    async patch(kind, name, change) {
      const type = 'application/merge-patch+json'
      return (await call('PATCH', `${pathOf(kind)}/${name}`, change, type)).status !== 404
    },
    async remove(kind, labels, wanted) {
      const query = new URLSearchParams({ labelSelector: labels })
      await call('DELETE', `${pathOf(kind)}?${query}`, {
        ...{ kind: 'DeleteOptions', apiVersion: 'v1' },
        ...wanted,
      })
    },
    close: () => way?.outbound.close(),
  }
}

/** An answer that the caller understands; throws for all others. */
function judged(answer: Answer, host: string, namespace: string): Answer {
  const { status } = answer
  if ((status >= 200 && status < 300) || [404, 409, 410].includes(status)) return answer
  const message = answer.body.message ?? `status ${status}`
  const text = `Kubernetes at ${host} says: ${message}`
  if (status === 401)
    throw loginRefused(`Kubernetes at ${host} does not accept the credentials of this gateway (${message}).`)
  if (status === 403 && /quota/i.test(message)) throw submitRefused(text)
  if (status === 403)
    throw loginRefused(`${text}. Give its account the role for pilots in the namespace ${namespace}.`)
  if (status === 400 || status === 422) throw submitRefused(text)
  if (status === 429 || status >= 500) throw clusterAway(text)
  throw clusterFailed(text)
}

function parsed(text: string, { headers, statusCode = 0 }: IncomingMessage, host: string): Answer['body'] {
  try {
    if (headers['content-type']?.startsWith('application/json')) return JSON.parse(text) as Answer['body']
  } catch {
    // It is not what was asked for.
  }
  // What stands before a server that is away has words of its own.
  if (statusCode === 429 || statusCode >= 500) return {}
  throw clusterFailed(`What answers at ${host} does not speak the API of Kubernetes.`)
}

async function* once(content: Buffer): AsyncGenerator<Buffer> {
  yield content
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream) {
    size += part.length
    if (size > ANSWER_MOST) throw clusterFailed(`An answer of Kubernetes has more than ${ANSWER_MOST} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

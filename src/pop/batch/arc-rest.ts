import type { Readable } from 'node:stream'
import { isGridError } from '../../kernel/errors.ts'
import { guardedOutbound, type Outbound, type OutboundRequest } from '../../storage/outbound.ts'
import type { ArcCredential } from './arc-credential.ts'
import { clusterAway, clusterFailed, loginRefused } from './errors.ts'

/** A job as ARC speaks of it: every field may be missing. */
export interface ArcAnswer {
  readonly 'status-code'?: string
  readonly reason?: string
  readonly id?: string
  readonly state?: string
}

/** A document in the words of GLUE 2. What there is once comes as it is, what there is several times as a list. */
export interface Glue {
  readonly [name: string]: Glue | readonly Glue[] | string | undefined
}

export interface ArcRest {
  /** Newest version of the interface that both sides know. */
  version(): Promise<string>
  info(): Promise<Glue>
  /** One answer for each description, in their order. */
  submit(descriptions: string): Promise<ArcAnswer[]>
  /** Every job of this identity, in the state that A-REX itself sees: what is in the batch system is RUNNING. */
  jobs(): Promise<Map<string, string>>
  /** What ARC published of them last, which may be minutes ago, or what came of the order. */
  ask(action: 'status' | 'kill' | 'clean', ids: readonly string[]): Promise<ArcAnswer[]>
  /** Writes a file of a job; again and again does no harm. */
  put(id: string, name: string, content: { readonly bytes: number; readonly stream: Readable }): Promise<void>
  /** Starts a delegation, or renews one: the request to be signed, and the name of the delegation. */
  delegate(id?: string): Promise<{ readonly id: string; readonly request: string }>
  delegated(id: string, chain: string): Promise<void>
  /** How a job ended in ARC's words, how it was described, or what it wrote; empty where there is none. */
  said(id: string, part: 'diagnose/failed' | 'diagnose/description' | 'session/out'): Promise<string>
  /** Where a job has its name. */
  addressOf(id: string): string
  close(): void
}

const VERSIONS = ['1.1', '1.0']
const DOCUMENT_MOST = 32 << 20
const TOLD_MOST = 64 << 10
const AT_ONCE = 200
const REQUEST_MS = 60_000
const UPLOAD_MS = 600_000
/** Without naming states, ARC tells none. */
const LIVE_STATES =
  'ACCEPTING,ACCEPTED,PREPARING,PREPARED,SUBMITTING,RUNNING,EXECUTED,FINISHING,KILLING,FINISHED,FAILED,KILLED,WIPED,None'
const JSON_TYPE = 'application/json'

/** A client of A-REX's REST interface, https://www.nordugrid.org/arc/arc6/tech/rest/rest.html. */
export function arcRest(options: {
  readonly url: string
  readonly authorities: () => Promise<readonly string[]>
  readonly credential: ArcCredential
}): ArcRest {
  const { credential, authorities } = options
  const url = new URL(options.url)
  const base = options.url.replace(/\/$/, '')
  let way: { key: string; outbound: Outbound } | undefined
  let found: Promise<string> | undefined

  /** Connections with the present certificate; where that was renewed, with the new one. */
  async function outbound(): Promise<Outbound> {
    const { key, identity } = credential.certificate()
    if (way?.key === key) return way.outbound
    const ca = await authorities()
    const allowed = [`${url.hostname}:${url.port || 443}`]
    way?.outbound.close()
    way = { key, outbound: guardedOutbound({ allowed, ca, ...(identity && { identity }) }) }
    return way.outbound
  }

  async function call(
    method: OutboundRequest['method'],
    path: string,
    wanted: { body?: Body; type?: string; most?: number; ms?: number } = {},
  ): Promise<{ text: string; location: string }> {
    const { body, type, most = DOCUMENT_MOST, ms = REQUEST_MS } = wanted
    const token = await credential.token()
    try {
      const send = await outbound()
      const answer = await send({
        ...{ method, url: `${base}/rest${path}`, party: 'destination', signal: AbortSignal.timeout(ms) },
        headers: {
          accept: JSON_TYPE,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(type && { 'content-type': type }),
          ...(body && { 'content-length': String(body.bytes) }),
        },
        ...(body && { body: body.stream }),
      })
      const parts: Buffer[] = []
      let size = 0
      for await (const part of answer as AsyncIterable<Buffer>) {
        size += part.length
        if (size <= most) parts.push(part)
      }
      return { text: Buffer.concat(parts).toString(), location: String(answer.headers.location ?? '') }
    } catch (error) {
      throw meaning(error, url.host)
    }
  }

  const version = (): Promise<string> => {
    found ??= call('GET', '')
      .then(({ text }) => {
        const offered = list(parsed(text).version)
        const common = VERSIONS.find((one) => offered.includes(one))
        if (!common) throw clusterFailed(`${url.host} offers no version of its interface that is known here.`)
        return common
      })
      .catch((error) => {
        found = undefined
        throw error
      })
    return found
  }
  const at = async (path: string): Promise<string> => `/${await version()}/${path}`
  const jobsIn = (text: string) => list(parsed(text).job) as readonly ArcAnswer[]

  return {
    version,
    async info() {
      return parsed((await call('GET', await at('info?schema=glue2'))).text)
    },
    async submit(descriptions) {
      const { text } = await call('POST', await at('jobs?action=new'), {
        ...{ body: whole(descriptions), type: 'application/rsl' },
      })
      return [...jobsIn(text)]
    },
    async jobs() {
      const { text } = await call('GET', await at(`jobs?state=${LIVE_STATES}`))
      return new Map(jobsIn(text).flatMap(({ id, state }) => (id && state ? [[id, state]] : [])))
    },
    async ask(action, ids) {
      const answers: ArcAnswer[] = []
      for (let next = 0; next < ids.length; next += AT_ONCE) {
        const job = ids.slice(next, next + AT_ONCE).map((id) => ({ id }))
        const body = whole(JSON.stringify({ job }))
        const { text } = await call('POST', await at(`jobs?action=${action}`), { body, type: JSON_TYPE })
        answers.push(...jobsIn(text))
      }
      return answers
    },
    async put(id, name, body) {
      const type = 'application/octet-stream'
      await call('PUT', await at(`jobs/${id}/session/${name}`), { body, type, ms: UPLOAD_MS })
    },
    async delegate(id) {
      const path = id === undefined ? 'delegations?action=new' : `delegations/${id}?action=renew`
      const { text, location } = await call('POST', await at(path), { body: whole(''), type: JSON_TYPE })
      const name = id ?? location.split('/').at(-1) ?? ''
      if (!/^[A-Za-z0-9_-]{1,128}$/.test(name)) throw clusterFailed(`${url.host} named no delegation.`)
      return { id: name, request: text }
    },
    async delegated(id, chain) {
      await call('PUT', await at(`delegations/${id}`), { body: whole(chain), type: 'application/x-pem-file' })
    },
    async said(id, part) {
      const path = await at(`jobs/${id}/${part}`)
      return call('GET', path, { most: TOLD_MOST }).then(
        ({ text }) => text.trim(),
        () => '',
      )
    },
    addressOf: (id) => `${base}/rest/1.0/jobs/${id}`,
    close: () => way?.outbound.close(),
  }
}

interface Body {
  readonly bytes: number
  readonly stream: AsyncIterable<Uint8Array>
}

function whole(text: string): Body {
  const content = Buffer.from(text)
  return {
    bytes: content.length,
    stream: (async function* () {
      yield content
    })(),
  }
}

/** ARC says nothing at all where a list is empty. */
function parsed(text: string): Glue {
  try {
    const value: unknown = JSON.parse(text.trim() || '{}')
    if (typeof value === 'object' && value !== null) return value as Glue
  } catch {
    // It is not what was asked for.
  }
  throw clusterFailed('What answers there does not speak the interface of ARC.')
}

/** A list of one comes as the one. */
export function list(value: Glue[string]): readonly (Glue | string)[] {
  if (value === undefined || value === '') return []
  return Array.isArray(value) ? value : [value as Glue | string]
}

function meaning(error: unknown, host: string): unknown {
  if (!isGridError(error)) return clusterAway(`${host} did not answer in time.`, {}, error)
  if (!error.code.startsWith('remote_')) return error
  const { status, said: words } = error.details as { status?: number; said?: string }
  const said = words ? ` It says: ${words}.` : ''
  if (error.code === 'remote_refused')
    return loginRefused(
      `${host} does not accept the credentials of this gateway (${status}).${said} What it must admit is what the step "credential" shows.`,
    )
  const text = `${error.message}${said}`
  return error.kind === 'transient' ? clusterAway(text, {}, error) : clusterFailed(text, {}, error)
}

import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { defineError } from '../kernel/errors.ts'
import type { GatewayConfig } from './config.ts'

const serverAway = defineError('transient', 'server_away')

export interface Answer {
  readonly status: number
  readonly ok: boolean
  json(): Promise<unknown>
}

/** A small JSON request that trusts `ca`; the program stays lean without a client library. */
export function jsonRequest(
  url: string,
  options: {
    ca: Buffer
    method?: string
    headers?: Record<string, string>
    body?: string
    timeoutMs?: number
    signal?: AbortSignal
  },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(serverAway(`${new URL(url).host} cannot be reached.`, {}, error))
    const { ca, method = 'GET', headers = {}, body } = options
    const req = request(
      url,
      { ca, method, headers, ...(options.signal && { signal: options.signal }) },
      (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part) => parts.push(part)).on('error', fail)
        answer.on('end', () => {
          const status = answer.statusCode ?? 0
          resolve({
            status,
            ok: status >= 200 && status < 300,
            json: async () => JSON.parse(Buffer.concat(parts).toString() || 'null'),
          })
        })
      },
    )
    req.on('error', fail)
    req.setTimeout(options.timeoutMs ?? 15_000, () => req.destroy(new Error('timeout')))
    req.end(body)
  })
}

export interface ServerChannel {
  post(path: string, body: unknown): Promise<Answer>
  get(path: string, signal: AbortSignal): Promise<Answer>
}

/** Requests to the server as this gateway; the token is renewed before it expires or when refused. */
export function serverChannel(config: GatewayConfig, ca: Buffer, now: () => Date): ServerChannel {
  let token: { text: string; until: number } | undefined
  async function bearer(): Promise<string> {
    if (token && token.until > now().getTime()) return token.text
    const secret = readFileSync(join(config.directory, 'client-secret'), 'utf8').trim()
    const basic = Buffer.from(
      `${encodeURIComponent(`gateway:${config.name}`)}:${encodeURIComponent(secret)}`,
    ).toString('base64')
    const about = await jsonRequest(`${config.issuer}/.well-known/openid-configuration`, { ca })
    if (!about.ok) throw serverAway(`The token issuer answered ${about.status} when asked for its endpoints.`)
    const { token_endpoint } = (await about.json()) as { token_endpoint: string }
    const answer = await jsonRequest(token_endpoint, {
      ca,
      method: 'POST',
      body: 'grant_type=client_credentials&scope=grid.gateway.report',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${basic}` },
    })
    if (!answer.ok) throw serverAway(`The server refused this gateway's credentials (${answer.status}).`)
    const { access_token, expires_in } = (await answer.json()) as { access_token: string; expires_in: number }
    token = { text: access_token, until: now().getTime() + (expires_in * 1000 * 2) / 3 }
    return access_token
  }
  async function send(
    method: string,
    path: string,
    extra: { body?: string; signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${await bearer()}`,
      ...(extra.body !== undefined && { 'content-type': 'application/json' }),
    }
    const answer = await jsonRequest(`${config.server}/kumi/v1/gateways/${config.name}/${path}`, {
      ca,
      method,
      headers,
      ...extra,
    })
    if (answer.status === 401) token = undefined
    if (!answer.ok)
      throw serverAway(`The server answered ${answer.status} to ${method} ${path.split('?')[0]}.`, {
        status: answer.status,
      })
    return answer
  }
  return {
    post: (path, body) => send('POST', path, { body: JSON.stringify(body) }),
    get: (path, signal) => send('GET', path, { signal, timeoutMs: 40_000 }),
  }
}

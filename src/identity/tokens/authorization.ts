import { createHash, timingSafeEqual } from 'node:crypto'
import { transaction } from '../../kernel/database.ts'
import { type GridError, isGridError } from '../../kernel/errors.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { audienceOf, checkResource } from './audience.ts'
import * as store from './authorization.store.ts'
import type { Client } from './client.ts'
import type { ClientBook } from './clients.ts'
import { bare } from './clients.ts'
import { entitled, usualScopes, withinClient } from './entitlement.ts'
import { putConsent, selectConsent } from './grants.store.ts'
import type { GrantBook, Issued } from './grants.ts'
import type { Holders } from './holders.ts'
import { redirectUriMatches } from './redirect-uri.ts'
import { anyCovers, formatScope, parseScope } from './scope.ts'
import type { ScopePolicyBook } from './scope-policies.ts'
import { within } from './scope-policy.ts'
import { askedScope } from './vocabulary.ts'

/** Somebody in front of a browser who has logged in there. */
export interface Visitor {
  readonly accountId: number
  readonly authenticatedAt: Date
}

/** The parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636, OpenID Connect Core §3.1.2.1). */
export interface AuthorizationRequest {
  readonly vo: string
  readonly get: (name: string) => string | undefined
  readonly list: (name: string) => string[]
  /** Who is logged in at that browser, if anybody. */
  readonly person: Visitor | null
}

/** What a person is asked to agree to. */
export interface Question {
  readonly client: Pick<Client, 'id' | 'name' | 'description' | 'origin'>
  /** What the client would get; before a login, what it asks for. */
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  /** Where the answer goes: the redirect URI's host, or the address of the device. */
  readonly whereto: string
  readonly loginNeeded: boolean
  readonly consentNeeded: boolean
  /** Whether an answer may be remembered. Anybody can pretend to be a public client: its users are asked each time. */
  readonly rememberable: boolean
}

export interface Answer {
  readonly approve: boolean
  /** Narrows what is given. */
  readonly scopes?: readonly string[]
  /** Not to be asked again for the same. */
  readonly remember?: boolean
}

export interface Authorization {
  /**
   * The first step: an interaction to be decided by a person, or the address to send the browser back to. Throws
   * when client or redirect URI are wrong: then nothing may be sent there.
   */
  beginAuthorization(request: AuthorizationRequest): Promise<{ interaction: string } | { redirect: string }>
  /** Throws interaction_over. */
  consentQuestion(vo: string, interaction: string, person: Visitor | null): Promise<Question>
  /** The address to send the browser back to. */
  answerConsent(
    vo: string,
    interaction: string,
    person: Visitor,
    answer: Answer,
  ): Promise<{ redirect: string }>
  /** The VO in which a code was given, for a door that serves all of them; says nothing about whether it is still good. */
  voOfCode(code: string): Promise<string | undefined>
  /** The tokens for a code; throws invalid_grant. A code that comes a second time costs what the first one gave. */
  redeemCode(request: {
    client: Client
    code: string
    redirectUri: string
    verifier: string
  }): Promise<Issued>
}

const INTERACTION_MS = 30 * 60_000
const CODE_MS = 60_000

export function createAuthorization(
  context: Context,
  deps: { clients: ClientBook; holders: Holders; policies: ScopePolicyBook; grants: GrantBook },
): Authorization {
  const { db, ids, now, issuer, log, changing } = context
  const { clients, holders, policies, grants } = deps

  const back = (
    to: { vo: string; redirectUri: string; state: string | null },
    facts: Record<string, string>,
  ) =>
    withParameters(to.redirectUri, {
      ...facts,
      ...(to.state !== null && { state: to.state }),
      iss: issuer(to.vo),
    })

  const knownClient = async (vo: string, id: string): Promise<Client> => {
    const client = await clients.known(vo, id)
    if (!client?.enabled) throw e.invalidRequest(`The client "${id}" is not known here.`)
    return bare(client)
  }
  const remembered = async (
    client: Client,
    accountId: number,
    scopes: readonly string[],
  ): Promise<boolean> => {
    // RFC 8252 §8.6
    if (client.auth === 'none') return false
    const consent = await selectConsent(db, accountId, client.vo, client.id)
    const most = (consent?.scopes ?? []).map(parseScope)
    return scopes.every((scope) => anyCovers(most, parseScope(scope)))
  }
  const remembering = async (client: Client, accountId: number, scopes: readonly string[]): Promise<void> => {
    const { name } = await holders.of(accountId)
    await transaction(db, async (tx) => {
      await putConsent(tx, accountId, client.vo, client.id, scopes, now())
      const entry = { vo: client.vo, actor: name, action: 'consent.remembered', target: client.id }
      await context.audit(tx, { ...entry, detail: { scopes } })
    })
  }
  const offer = async (row: store.InteractionRow, client: Client, person: Visitor, lenient = false) => {
    const holder = await holders.of(person.accountId)
    if (holder.vo !== row.vo) throw e.accessDenied(`The account ${holder.name} is not of ${row.vo}.`)
    return entitled(policies, { holder, client, asked: row.scopes, lenient })
  }
  const loginNeeded = (row: store.InteractionRow, person: Visitor | null) =>
    !person || (row.loginAfter !== null && person.authenticatedAt < row.loginAfter)

  const code = async (
    row: store.InteractionRow,
    person: Visitor,
    scopes: readonly string[],
  ): Promise<string> => {
    const text = `kac_${ids.secret(32)}`
    const { vo, clientId, redirectUri, nonce, challenge, audience } = row
    const { accountId, authenticatedAt } = person
    await store.insertCode(db, digestOf(text), {
      ...{ grantId: ids.uuid(), vo, clientId, accountId, redirectUri, nonce, challenge, scopes, audience },
      ...{ authenticatedAt, expiresAt: new Date(now().getTime() + CODE_MS) },
    })
    return back(row, { code: text })
  }
  return {
    async beginAuthorization(request) {
      const { vo, get, person } = request
      const client = await knownClient(vo, get('client_id') ?? '')
      const redirectUri = get('redirect_uri') ?? ''
      if (!redirectUriMatches(client.redirectUris, redirectUri)) {
        throw e.invalidRequest('The redirect URI is not registered for this client.')
      }
      const to = { vo, redirectUri, state: get('state') ?? null }
      try {
        const row = requested(client, request, to, now())
        const prompts = get('prompt')?.split(' ') ?? []
        if (prompts.includes('none')) return { redirect: await silently(row, client, person) }
        const interaction = ids.secret(32)
        await store.insertInteraction(db, digestOf(interaction), row)
        return { interaction }
      } catch (error) {
        return { redirect: back(to, refusal(error)) }
      }
    },
    async consentQuestion(vo, interaction, person) {
      const row = await store.selectInteraction(db, vo, digestOf(interaction), now())
      if (!row) throw over()
      const client = await knownClient(vo, row.clientId)
      const needed = loginNeeded(row, person)
      const { scopes } = person ? await offer(row, client, person, true) : row
      return {
        ...{ client: pickClient(client), scopes, audience: row.audience, loginNeeded: needed },
        whereto: hostOf(row.redirectUri),
        rememberable: client.auth !== 'none',
        consentNeeded:
          needed || row.askConsent || !(person && (await remembered(client, person.accountId, scopes))),
      }
    },
    async answerConsent(vo, interaction, person, { approve, scopes, remember }) {
      const hash = digestOf(interaction)
      const seen = await store.selectInteraction(db, vo, hash, now())
      if (!seen) throw over()
      if (loginNeeded(seen, person)) throw e.notAuthenticated('The client asks for a fresh login.')
      const client = await knownClient(vo, seen.clientId)
      const row = await store.takeInteraction(db, vo, hash, now())
      if (!row) throw over()
      if (!approve) return { redirect: back(row, { error: 'access_denied' }) }
      try {
        const offered = (await offer(row, client, person)).scopes
        const given = scopes ? narrowed(offered, scopes) : offered
        if (remember) await remembering(client, person.accountId, given)
        return { redirect: await code(row, person, given) }
      } catch (error) {
        return { redirect: back(row, refusal(error)) }
      }
    },
    voOfCode: (text) => store.voOfCode(db, digestOf(text)),
    async redeemCode({ client, code: text, redirectUri, verifier }) {
      const found = await store.takeCode(db, digestOf(text), now())
      const own = found?.vo === client.vo && found.clientId === client.id
      if (found && (found.usedAt || !own)) {
        log.warn(
          { grant: found.grantId, client: client.id },
          'authorization code used twice or by another client',
        )
        await changing(found.vo, found.grantId, (tx) =>
          grants.revokeAll(tx, { vo: found.vo, id: found.grantId }, 'code used twice'),
        )
      }
      const good =
        found && own && !found.usedAt && found.expiresAt > now() && found.redirectUri === redirectUri
      if (!good || !verifies(verifier, found.challenge)) {
        throw e.invalidGrant('The code is wrong, used or older than a minute; begin anew.')
      }
      return grants.issue({ ...found, client })
    },
  }

  async function silently(
    row: store.InteractionRow,
    client: Client,
    person: Visitor | null,
  ): Promise<string> {
    if (!person || loginNeeded(row, person)) return back(row, { error: 'login_required' })
    const { scopes } = await offer(row, client, person)
    if (row.askConsent || !(await remembered(client, person.accountId, scopes))) {
      return back(row, { error: 'consent_required' })
    }
    return code(row, person, scopes)
  }
}

const over = () =>
  e.interactionOver('This request is over or was decided already; begin again at the program.')

/** Checks what may be answered by a redirect; throws with the word RFC 6749 §4.1.2.1 has for it. */
function requested(
  client: Client,
  { get, list }: AuthorizationRequest,
  to: { vo: string; redirectUri: string; state: string | null },
  now: Date,
): store.InteractionRow {
  const refuse = (word: string, message: string) => e.invalidRequest(message, { word })
  for (const name of ['request', 'request_uri']) {
    if (get(name)) throw refuse(`${name}_not_supported`, `The parameter ${name} is not offered here.`)
  }
  if (!client.grants.includes('authorization_code')) {
    throw refuse('unauthorized_client', 'The client may not use this flow.')
  }
  if (get('response_type') !== 'code')
    throw refuse('unsupported_response_type', 'Only "code" is offered here.')
  if ((get('response_mode') ?? 'query') !== 'query') {
    throw refuse('invalid_request', 'Only the response mode "query" is offered here.')
  }
  const challenge = get('code_challenge') ?? ''
  if (get('code_challenge_method') !== 'S256' || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) {
    throw refuse('invalid_request', 'This needs code_challenge with code_challenge_method=S256 (RFC 7636).')
  }
  if ((to.state ?? '').length > 2000 || (get('nonce') ?? '').length > 500) {
    throw refuse('invalid_request', 'The state or the nonce is too long.')
  }
  const asked = list('scope').map(askedScope)
  const scopes = asked.length > 0 ? withinClient(client, asked).map(formatScope) : usualScopes(client)
  if (scopes.length === 0) throw e.invalidScope('The client may ask for none of these scopes.')
  for (const resource of list('resource')) checkResource(resource)
  const prompts = get('prompt')?.split(' ') ?? []
  const maxAge = Number(get('max_age') ?? Number.NaN)
  const loginAfter = prompts.includes('login')
    ? now
    : maxAge >= 0
      ? new Date(now.getTime() - maxAge * 1000)
      : null
  return {
    ...{ ...to, clientId: client.id, challenge, scopes, loginAfter, nonce: get('nonce') ?? null },
    audience: audienceOf(client, [...list('audience'), ...list('resource')]),
    askConsent: prompts.includes('consent'),
    expiresAt: new Date(now.getTime() + INTERACTION_MS),
  }
}

/** How an error reads in the address of a redirect; what is not of this flow stays an error. */
function refusal(error: unknown): Record<string, string> {
  if (!isGridError(error) || error.kind === 'fatal') throw error
  return { error: wordOf(error), error_description: error.message.replace(/[^\x20-\x7e]|["\\]/g, '?') }
}

function wordOf({ code, kind, details }: GridError): string {
  if (typeof details.word === 'string') return details.word
  if (['invalid_scope', 'invalid_target', 'access_denied'].includes(code)) return code
  if (kind === 'transient' || kind === 'exhausted') return 'temporarily_unavailable'
  return kind === 'denied' ? 'access_denied' : 'invalid_request'
}

/** The person's choice within what is offered; a choice of nothing is a refusal. */
export function narrowed(offered: readonly string[], chosen: readonly string[]): readonly string[] {
  const wanted = chosen.map(askedScope)
  const most = offered.map(parseScope)
  const given = wanted.flatMap((scope) => within(most, scope)).map(formatScope)
  if (given.length === 0) throw e.accessDenied('Nothing was agreed to.')
  return given
}

export function pickClient({ id, name, description, origin }: Client): Question['client'] {
  return { id, name: name || id, description, origin }
}

function verifies(verifier: string, challenge: string): boolean {
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return false
  const found = createHash('sha256').update(verifier).digest()
  const wanted = Buffer.from(challenge, 'base64url')
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

/** The redirect URI was compared as text, so it is also extended as text. */
function withParameters(uri: string, parameters: Record<string, string>): string {
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams(parameters)}`
}

function hostOf(redirectUri: string): string {
  const url = new URL(redirectUri)
  return url.host || url.protocol.slice(0, -1)
}

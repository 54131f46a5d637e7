import type { FastifyRequest } from 'fastify'
import type { Client, Identity } from '../../identity/index.ts'
import { OWN_PROGRAMS } from './door.ts'
import { oauthError } from './errors.ts'
import type { Form } from './form.ts'

/** Who calls: a client that proved itself, or one of the grid's own programs. */
export type Caller = { readonly client: Client } | { readonly program: string }

interface Credentials {
  readonly id: string
  readonly secret: string
}

/** The client by HTTP Basic or by form fields (never both); throws `invalid_client`. */
export async function clientOf(
  identity: Identity,
  vo: string,
  request: Pick<FastifyRequest, 'headers'>,
  form: Form,
): Promise<Client> {
  const { id, secret } = credentialsOf(request, form)
  return identity.authenticateClient(vo, id, secret)
}

/** As `clientOf`, but the grid's own programs need no secret. */
export async function callerOfForm(
  identity: Identity,
  vo: string,
  request: Pick<FastifyRequest, 'headers'>,
  form: Form,
): Promise<Caller> {
  const id = form.get('client_id')
  if (id && OWN_PROGRAMS.includes(id) && !form.get('client_secret')) return { program: id }
  return { client: await clientOf(identity, vo, request, form) }
}

export function credentialsOf(request: Pick<FastifyRequest, 'headers'>, form: Form): Credentials {
  const basic = /^basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const secret = form.get('client_secret')
  if (basic && secret) throw oauthError('invalid_request', 'Show the client secret in one place only.')
  if (basic) {
    const text = Buffer.from(basic, 'base64').toString()
    const colon = text.indexOf(':')
    if (colon > 0) return { id: unescaped(text.slice(0, colon)), secret: unescaped(text.slice(colon + 1)) }
  }
  const id = form.get('client_id')
  if (!id || !secret) throw oauthError('invalid_client', 'This needs client_id and client_secret.')
  return { id, secret }
}

/** Both halves are form-encoded (RFC 6749 §2.3.1); many clients send them raw, which differs only for `%` and `+`. */
function unescaped(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

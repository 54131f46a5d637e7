import type { FastifyRequest } from 'fastify'
import { decodeJwt } from 'jose'
import type { Client, ClientProof, Identity } from '../../identity/index.ts'
import { oauthError } from './errors.ts'
import type { Form } from './form.ts'

const BY_KEY = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
type Headers = Pick<FastifyRequest, 'headers'>

/** The client by HTTP Basic, form fields or a signed assertion, never two of them; throws `invalid_client`. */
export function clientOf(identity: Identity, vo: string, request: Headers, form: Form): Promise<Client> {
  return identity.authenticateClient(vo, proofOf(request, form))
}

/** As `clientOf`, but a client that proves nothing is not enough. */
export async function provenClientOf(
  identity: Identity,
  vo: string,
  request: Headers,
  form: Form,
): Promise<Client> {
  const client = await clientOf(identity, vo, request, form)
  if (client.auth === 'none') throw oauthError('invalid_client', 'This needs a client that proves itself.')
  return client
}

function proofOf(request: Headers, form: Form): ClientProof {
  const basic = /^basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const secret = form.get('client_secret')
  const assertion = form.get('client_assertion')
  if ([basic, secret, assertion].filter(Boolean).length > 1) {
    throw oauthError('invalid_request', 'Show who the client is in one way only.')
  }
  if (basic) {
    const text = Buffer.from(basic, 'base64').toString()
    const colon = text.indexOf(':')
    if (colon > 0) {
      const id = unescaped(text.slice(0, colon))
      const password = unescaped(text.slice(colon + 1))
      if (form.get('client_id') && form.get('client_id') !== id) {
        throw oauthError('invalid_request', 'The header and client_id name different clients.')
      }
      return password ? { id, secret: password } : { id }
    }
  }
  if (assertion) return byKey(form, assertion)
  const id = form.get('client_id')
  if (!id) throw oauthError('invalid_client', 'This needs a client: client_id, and how it proves itself.')
  return secret ? { id, secret } : { id }
}

function byKey(form: Form, assertion: string): ClientProof {
  if (form.get('client_assertion_type') !== BY_KEY) {
    throw oauthError('invalid_request', `The client_assertion_type must be ${BY_KEY}.`)
  }
  try {
    // Says only whose key to check it with.
    const id = form.get('client_id') ?? decodeJwt(assertion).sub
    if (id) return { id, assertion }
  } catch {
    // falls through to the refusal
  }
  throw oauthError('invalid_client', 'The client assertion is not readable.')
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

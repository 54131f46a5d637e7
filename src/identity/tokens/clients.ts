import { accountOf } from '../accounts/accounts.ts'
import { digestMatches, digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Client, NewClient } from './client.ts'
import * as store from './clients.store.ts'
import { parseScope } from './scope.ts'

export interface Clients {
  /** Creates the client or, if it exists, replaces everything but, unless given, its secret. */
  putClient(client: NewClient): Promise<{ client: Client; secret: string | null }>
  /** A client that is not enabled gets no token, and those it has are refused at once. */
  enableClient(vo: string, clientId: string, enabled: boolean): Promise<void>
  /** The client, if the secret is right; throws invalid_client. */
  authenticateClient(vo: string, clientId: string, secret: string): Promise<Client>
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/
const SHORTEST_SECRET = 24

export function createClients(context: Context): Clients {
  const { db, ids, now, changing } = context
  return {
    async putClient(request) {
      const { id, vo, accountId, scopes, audiences = [], grants = ['client_credentials'] } = request
      if (!ID.test(id)) throw e.invalidRequest(`"${id}" is no client id: use letters, digits and . _ : -`)
      if (request.secret !== undefined && request.secret.length < SHORTEST_SECRET) {
        throw e.invalidPassword(`A client secret has at least ${SHORTEST_SECRET} characters.`)
      }
      for (const scope of scopes) parseScope(scope)
      if ((await accountOf(context, accountId)).vo !== vo) {
        throw e.accountMissing(`The account of the client is not of VO ${vo}.`)
      }
      return changing(vo, id, async (tx) => {
        const known = await store.selectClient(tx, vo, id)
        const secret = request.secret ?? (known ? null : ids.secret(32))
        const hash = secret && digestOf(secret).toString('base64url')
        const client = { id, vo, accountId, scopes, audiences, grants }
        if ((await store.putClient(tx, { ...client, hash }, now())) === 0) {
          throw e.invalidRequest(`A client "${id}" exists in another VO; choose another id.`)
        }
        return { client: { ...client, enabled: known?.enabled ?? true }, secret }
      })
    },
    async enableClient(vo, id, enabled) {
      const found = await changing(vo, id, (tx) => store.updateEnabled(tx, vo, id, enabled))
      if (found === 0) throw e.clientMissing(`There is no client "${id}" in ${vo}.`)
    },
    async authenticateClient(vo, id, secret) {
      const client = await store.selectClient(db, vo, id)
      const right = digestMatches(secret, client?.hash ?? null)
      if (!client?.enabled || !right) throw e.invalidClient('The client or its secret is wrong.')
      const { hash: _hash, ...rest } = client
      return rest
    },
  }
}

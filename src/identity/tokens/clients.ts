import type { Db } from '../../kernel/database.ts'
import { accountOf } from '../accounts/accounts.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { type Client, DEFAULTS, type NewClient, ownPrograms } from './client.ts'
import { checkClient } from './client-check.ts'
import * as store from './clients.store.ts'

export interface Clients {
  /** Creates the client or, if it exists, replaces everything but, unless given, its secret. */
  putClient(client: NewClient): Promise<{ client: Client; secret: string | null }>
  /** As `putClient`, but refuses one that exists. */
  createClient(
    client: NewClient,
    owners: readonly number[],
    by: string,
  ): Promise<{ client: Client; secret: string | null }>
  /** Changes what is given. Changing its scopes or audiences narrows what it already has at the next refresh. */
  updateClient(vo: string, id: string, change: ClientChange, by: string): Promise<Client>
  deleteClient(vo: string, id: string, by: string): Promise<void>
  /** A client that is not enabled gets no token, and those it has are refused at once. */
  enableClient(vo: string, id: string, enabled: boolean, by?: string): Promise<void>
  /** A new secret; the one before stays good for the overlap, so that a service can be changed over. */
  rotateClientSecret(vo: string, id: string, overlapSeconds: number, by: string): Promise<{ secret: string }>
  client(vo: string, id: string): Promise<Client>
  listClients(vo: string, filter?: { owner?: number }): Promise<Client[]>
  clientOwners(vo: string, ids: readonly string[]): Promise<Map<string, ClientOwner[]>>
  addClientOwner(vo: string, id: string, accountId: number, by: string): Promise<void>
  removeClientOwner(vo: string, id: string, accountId: number, by: string): Promise<void>
}

export type ClientChange = Partial<Omit<NewClient, 'id' | 'vo' | 'origin' | 'secret'>>

export interface ClientOwner {
  readonly accountId: number
  readonly account: string
}

export interface ClientBook extends Clients {
  /** From memory: the client with what proves it. */
  known(vo: string, id: string): Promise<store.ClientRow | undefined>
  ensureOwnPrograms(vo: string): Promise<void>
}

const LONGEST_OVERLAP_SECONDS = 30 * 86_400

export function createClients(context: Context): ClientBook {
  const { db, ids, now, changing } = context
  const memory = context.memory<store.ClientRow | undefined>()
  const missing = (vo: string, id: string) => e.clientMissing(`There is no client "${id}" in ${vo}.`)

  const note = (tx: Db, vo: string, id: string, by: string, what: string, detail = {}) =>
    context.audit(tx, { vo, actor: by, action: `client.${what}`, target: id, detail })

  const put = async (
    request: NewClient,
    { mayExist, owners, by }: { mayExist: boolean; owners: readonly number[]; by: string },
  ) => {
    const { secret: given, ...facts } = request
    const client = { ...DEFAULTS, ...facts }
    const { vo, id } = client
    checkClient(client, given)
    await refuseForeignAccounts(context, vo, [client.accountId ?? [], ...owners].flat())
    return changing(vo, id, async (tx) => {
      const known = await store.lockClient(tx, vo, id)
      if (known && !mayExist) throw e.clientExists(`There is a client "${id}" already.`)
      const secret = client.auth === 'secret' ? (given ?? (known?.hash ? null : ids.secret(32))) : null
      const hash = secret && digestOf(secret).toString('base64url')
      const kept = (await store.putClient(tx, { ...client, hash }, now()))!
      if (owners.length > 0) await store.insertOwners(tx, vo, id, owners)
      const changes = known ? differences(known, kept) : factsOf(kept)
      if (!known || Object.keys(changes).length > 0) {
        await note(tx, vo, id, by, known ? 'changed' : 'created', changes)
      }
      return { client: bare(kept), secret }
    })
  }
  const self: ClientBook = {
    putClient: (request) => put(request, { mayExist: true, owners: [], by: 'grid' }),
    createClient: (request, owners, by) => put(request, { mayExist: false, owners, by }),
    async updateClient(vo, id, change, by) {
      if (change.accountId) await refuseForeignAccounts(context, vo, [change.accountId])
      return changing(vo, id, async (tx) => {
        const known = await store.lockClient(tx, vo, id)
        if (!known) throw missing(vo, id)
        if (known.origin === 'grid') throw e.invalidRequest('A program of the grid itself is not changed.')
        const client = { ...known, ...change }
        checkClient(client)
        const kept = (await store.putClient(tx, { ...client, hash: null }, now()))!
        await note(tx, vo, id, by, 'changed', differences(known, kept))
        return bare(kept)
      })
    },
    async deleteClient(vo, id, by) {
      await changing(vo, id, async (tx) => {
        if ((await store.deleteClient(tx, vo, id)) === 0) throw missing(vo, id)
        await note(tx, vo, id, by, 'deleted')
      })
    },
    async enableClient(vo, id, enabled, by = 'grid') {
      await changing(vo, id, async (tx) => {
        if ((await store.updateEnabled(tx, vo, id, enabled)) === 0) throw missing(vo, id)
        await note(tx, vo, id, by, enabled ? 'enabled' : 'disabled')
      })
    },
    async rotateClientSecret(vo, id, overlapSeconds, by) {
      const secret = ids.secret(32)
      const overlap = Math.min(Math.max(overlapSeconds, 0), LONGEST_OVERLAP_SECONDS)
      const until = new Date(now().getTime() + overlap * 1000)
      const hash = digestOf(secret).toString('base64url')
      await changing(vo, id, async (tx) => {
        if ((await store.updateSecret(tx, vo, id, hash, until)) === 0) throw missing(vo, id)
        await note(tx, vo, id, by, 'secret_rotated', { old_until: until.toISOString() })
      })
      return { secret }
    },
    async client(vo, id) {
      const known = await self.known(vo, id)
      if (!known) throw missing(vo, id)
      return bare(known)
    },
    listClients: async (vo, filter) => (await store.selectClients(db, vo, filter)).map(bare),
    async clientOwners(vo, list) {
      const found = new Map<string, ClientOwner[]>()
      for (const { id, accountId, account } of await store.selectOwners(db, vo, list)) {
        found.set(id, [...(found.get(id) ?? []), { accountId, account }])
      }
      return found
    },
    async addClientOwner(vo, id, accountId, by) {
      if (!(await self.known(vo, id))) throw missing(vo, id)
      await refuseForeignAccounts(context, vo, [accountId])
      await changing(vo, id, async (tx) => {
        await store.insertOwners(tx, vo, id, [accountId])
        await note(tx, vo, id, by, 'owner_added', { account: accountId })
      })
    },
    async removeClientOwner(vo, id, accountId, by) {
      await changing(vo, id, async (tx) => {
        await store.dropOwner(tx, vo, id, accountId)
        await note(tx, vo, id, by, 'owner_removed', { account: accountId })
      })
    },
    known: (vo, id) => memory.get(`${vo} ${id}`, async () => (await store.selectClients(db, vo, { id }))[0]),
    async ensureOwnPrograms(vo) {
      const rows = ownPrograms(vo).map((program) => ({ ...DEFAULTS, ...program, hash: null }))
      await store.insertClients(db, rows, now())
    },
  }
  return self
}

/** Without what proves it. */
export function bare({ hash: _h, previousHash: _p, previousUntil: _u, ...client }: store.ClientRow): Client {
  return client
}

/** What the audit log tells of a client. */
function factsOf(row: store.ClientRow): Record<string, unknown> {
  const { vo: _vo, id: _id, createdAt: _c, lastUsedAt: _l, enabled: _e, ...facts } = bare(row)
  return facts
}

function differences(before: store.ClientRow, after: store.ClientRow): Record<string, unknown> {
  const old = factsOf(before)
  const changes = Object.entries(factsOf(after)).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(old[key]),
  )
  return { ...Object.fromEntries(changes), ...(before.hash !== after.hash && { secret: 'changed' }) }
}

async function refuseForeignAccounts(context: Context, vo: string, ids: readonly number[]): Promise<void> {
  for (const id of new Set(ids)) {
    if ((await accountOf(context, id)).vo !== vo) {
      throw e.accountMissing(`The account ${id} is not of VO ${vo}.`)
    }
  }
}

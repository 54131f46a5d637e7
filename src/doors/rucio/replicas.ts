import { Type } from 'typebox'
import {
  addReplicas,
  type DatasetReplica,
  type Did,
  datasetReplicas,
  datasetsAtRse,
  didsByIds,
  didsOfPaths,
  listReplicas,
  pathOfPfn,
  type ReplicaState,
  resolveDids,
  setReplicaStates,
} from '../../catalog/index.ts'
import { transaction } from '../../kernel/index.ts'
import { newCopies, pathOf, verifyArrivals } from './arrivals.ts'
import { DidBody, DidsBody, FileBody } from './bodies.ts'
import { BULK_BODY, didOf } from './dids.ts'
import {
  bodyOf,
  type Call,
  callerAccount,
  type Endpoint,
  get,
  headerOf,
  ownersOf,
  param,
} from './endpoint.ts'
import { badRequest } from './errors.ts'
import { jsonFile, METALINK_HEAD, METALINK_TAIL, METALINK_TYPE, metalinkFile } from './metalink.ts'
import { fileAnswers, type SourceChoice } from './replica-list.ts'
import { sendCreated, sendLines, sendText } from './stream.ts'
import { REPLICA_STATES, readDate, rucioDate, wireId } from './wire.ts'

const Nullable = <T extends ReturnType<typeof Type.String>>(type: T) =>
  Type.Optional(Type.Union([type, Type.Null()]))
const Flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
const ListBody = Type.Object({
  dids: Type.Array(DidBody),
  schemes: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  domain: Nullable(Type.String()),
  ignore_availability: Flag,
  all_states: Flag,
  rse_expression: Nullable(Type.String()),
  updated_after: Nullable(Type.String()),
  resolve_parents: Flag,
})
const FilesBody = Type.Object({ rse: Type.String(), files: Type.Array(FileBody) })
const PfnsBody = Type.Object({ rse: Type.String(), pfns: Type.Array(Type.String()) })
const TombstoneBody = Type.Object({
  replicas: Type.Array(Type.Intersect([DidBody, Type.Object({ rse: Type.String() })])),
})

/** Registered per statement: bounds memory and lock time without a round trip per file. */
const BATCH = 5000

export const replicaEndpoints: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/replicas/list',
    action: 'catalog.read',
    bodyLimit: BULK_BODY,
    async handler(call) {
      const body = bodyOf(call, ListBody)
      const rses = body.rse_expression ? await call.deps.rses.match(call.vo, body.rse_expression) : undefined
      const files = listReplicas(call.deps.db, {
        vo: call.vo,
        dids: body.dids,
        allStates: body.all_states ?? false,
        parents: body.resolve_parents ?? false,
        ...(rses && { rseIds: rses.map(({ id }) => id) }),
        ...(body.updated_after && { updatedAfter: readDate(body.updated_after) }),
      })
      return sendFiles(call, files, {
        schemes: body.schemes && body.schemes.length > 0 ? body.schemes : null,
        domain: body.domain === 'lan' || body.domain === 'wan' ? body.domain : null,
        ignoreAvailability: body.ignore_availability ?? false,
        parents: body.resolve_parents ?? false,
      })
    },
  },
  get('/replicas/:scope/:name', 'catalog.read', (call) =>
    sendFiles(call, listReplicas(call.deps.db, { vo: call.vo, dids: [didOf(call)] }), {
      schemes: call.query.schemes ? call.query.schemes.split(',') : null,
      domain: null,
      ignoreAvailability: false,
      parents: false,
    }),
  ),
  {
    method: 'POST',
    path: '/replicas',
    action: 'catalog.did.create',
    resource: (call) => filesOwner(call, 'catalog.did.create'),
    bodyLimit: BULK_BODY,
    handler: add,
  },
  {
    method: 'PUT',
    path: '/replicas',
    action: 'catalog.replica.update',
    resource: (call) => filesOwner(call, 'catalog.replica.update'),
    bodyLimit: BULK_BODY,
    handler: update,
  },
  {
    method: 'DELETE',
    path: '/replicas',
    action: 'catalog.replica.update',
    resource: (call) => filesOwner(call, 'catalog.replica.update'),
    bodyLimit: BULK_BODY,
    // A copy goes only through the deletion protocol; here it is given up to it.
    async handler(call) {
      const { rse, files } = bodyOf(call, FilesBody)
      await release(
        call,
        files.map(({ scope, name }) => ({ scope, name, rse })),
      )
      return sendCreated(call.reply, 200)
    },
  },
  {
    method: 'POST',
    path: '/replicas/tombstone',
    action: 'catalog.replica.update',
    resource: (call) =>
      ownersOf(
        call,
        'catalog.replica.update',
        bodyOf(call, TombstoneBody).replicas.map(({ scope }) => scope),
      ),
    async handler(call) {
      await release(call, bodyOf(call, TombstoneBody).replicas)
      return sendCreated(call.reply)
    },
  },
  {
    method: 'POST',
    path: '/replicas/dids',
    action: 'catalog.read',
    async handler(call) {
      const { rse: name, pfns } = bodyOf(call, PfnsBody)
      const rse = await call.deps.rses.byName(call.vo, name)
      const paths = pfns.map((pfn) => pathOfPfn(rse, pfn) ?? '')
      const dids = await didsOfPaths(call.deps.db, { vo: call.vo, rse, paths })
      const known = dids.flatMap((did, index) =>
        did ? [{ [pfns[index]!]: { scope: did.scope, name: did.name } }] : [],
      )
      return sendLines(call.reply, known)
    },
  },
  get('/replicas/:scope/:name/datasets', 'catalog.read', async (call) => {
    const deep = call.query.deep !== undefined && !/^false$/i.test(call.query.deep)
    const found = await datasetReplicas(call.deps.db, { vo: call.vo, dids: [didOf(call)], deep })
    return sendLines(call.reply, await datasetViews(call, found))
  }),
  {
    method: 'POST',
    path: '/replicas/datasets_bulk',
    action: 'catalog.read',
    async handler(call) {
      const { dids } = bodyOf(call, DidsBody)
      return sendLines(
        call.reply,
        await datasetViews(call, await datasetReplicas(call.deps.db, { vo: call.vo, dids })),
      )
    },
  },
  get('/replicas/rse/:rse', 'catalog.read', async (call) => {
    const rse = await call.deps.rses.byName(call.vo, param(call, 'rse'))
    return sendLines(call.reply, await datasetViews(call, await datasetsAtRse(call.deps.db, rse.id)))
  }),
]

const filesOwner = (call: Call, action: 'catalog.did.create' | 'catalog.replica.update') =>
  ownersOf(
    call,
    action,
    bodyOf(call, FilesBody).files.map(({ scope }) => scope),
  )

async function sendFiles(
  call: Call,
  files: ReturnType<typeof listReplicas>,
  choice: SourceChoice,
): Promise<unknown> {
  const answers = fileAnswers(call, files, choice)
  if (!headerOf(call, 'accept')?.includes(METALINK_TYPE)) {
    return sendLines(call.reply, mapped(answers, jsonFile))
  }
  return sendText(
    call.reply,
    METALINK_TYPE,
    wrapped(METALINK_HEAD, mapped(answers, metalinkFile), METALINK_TAIL),
  )
}

async function* mapped<A, B>(items: AsyncIterable<A>, change: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield change(item)
}

/** The head waits for the first file, so that an early error is still an error answer. */
async function* wrapped(head: string, pieces: AsyncIterable<string>, tail: string): AsyncGenerator<string> {
  let before = head
  for await (const piece of pieces) {
    yield before + piece
    before = ''
  }
  yield before + tail
}

async function add(call: Call): Promise<unknown> {
  const body = bodyOf(call, FilesBody)
  const rse = await call.deps.rses.byName(call.vo, body.rse)
  const accountId = callerAccount(call)
  const files = newCopies(rse, body.files)
  const arriving = files.filter(({ state }) => state === undefined || state === 'AVAILABLE')
  await verifyArrivals(call, rse, arriving)
  await transaction(call.deps.db, async (tx) => {
    for (let at = 0; at < files.length; at += BATCH) {
      const batch = files.slice(at, at + BATCH)
      await addReplicas(tx, { vo: call.vo, now: call.now, accountId, rseId: rse.id, files: batch })
    }
  })
  return sendCreated(call.reply)
}

async function update(call: Call): Promise<unknown> {
  const body = bodyOf(call, FilesBody)
  const rse = await call.deps.rses.byName(call.vo, body.rse)
  const files = body.files.map(({ scope, name, state, pfn }) => ({
    scope,
    name,
    state: stateOf(state),
    ...pathOf(rse, pfn),
  }))
  await verifyArrivals(
    call,
    rse,
    files.filter(({ state }) => state === 'AVAILABLE'),
  )
  await setReplicaStates(call.deps.db, { vo: call.vo, now: call.now, rseId: rse.id, files })
  return sendCreated(call.reply, 200)
}

function stateOf(text: string | null | undefined): ReplicaState {
  const state = REPLICA_STATES[text ?? ''] ?? text
  if (Object.values(REPLICA_STATES).includes(state ?? '')) return state as ReplicaState
  throw badRequest(`"${String(text).slice(0, 20)}" is not a state of a copy; use one of A, U, C, B, D, T.`)
}

async function release(call: Call, replicas: readonly (Did & { rse: string })[]): Promise<void> {
  const known = await resolveDids(call.deps.db, { vo: call.vo, dids: replicas })
  const collection = known.find(({ kind }) => kind !== 'FILE')
  if (collection) throw badRequest(`${collection.scope}:${collection.name} is no file.`)
  const rseIds = new Map<string, number>()
  for (const { rse } of replicas) {
    if (!rseIds.has(rse)) rseIds.set(rse, (await call.deps.rses.byName(call.vo, rse)).id)
  }
  const keys = replicas.map(({ rse }, index) => ({ fileId: known[index]!.id, rseId: rseIds.get(rse)! }))
  await call.deps.placement.giveUpCopies(call.deps.db, { replicas: keys })
}

async function datasetViews(
  call: Call,
  found: readonly DatasetReplica[],
): Promise<Record<string, unknown>[]> {
  const ids = [...new Set(found.map(({ collectionId }) => collectionId))]
  const names = new Map((await didsByIds(call.deps.db, ids)).map((did) => [did.id, did]))
  const rses = new Map((await call.deps.rses.all(call.vo)).map((rse) => [rse.id, rse]))
  return found.flatMap((replica) => {
    const [did, rse] = [names.get(replica.collectionId), rses.get(replica.rseId)]
    if (!did || !rse) return []
    return [
      {
        scope: did.scope,
        name: did.name,
        rse: rse.name,
        rse_id: wireId(rse.uuid),
        bytes: replica.bytes,
        length: replica.files,
        available_bytes: replica.availableBytes,
        available_length: replica.availableFiles,
        state: replica.availableFiles >= replica.files ? 'AVAILABLE' : 'UNAVAILABLE',
        created_at: rucioDate(call.now),
        updated_at: rucioDate(call.now),
        accessed_at: null,
      },
    ]
  })
}

import { Type } from 'typebox'
import {
  type AnyDid,
  type Attachment,
  addCollections,
  attach,
  type CollectionKind,
  type Did,
  deleteMetadata,
  detach,
  getDid,
  listContent,
  listFiles,
  listParents,
  type Metadata,
  type NewCollection,
  searchDids,
  setStatus,
} from '../../catalog/index.ts'
import { type Tx, transaction } from '../../kernel/index.ts'
import { newCopies, verifyArrivals } from './arrivals.ts'
import { CollectionBody, DidBody, DidsBody, FileBody, partialReplica } from './bodies.ts'
import { readDidFilters } from './did-filters.ts'
import {
  accountNames,
  bodyOf,
  type Call,
  callerAccount,
  type Endpoint,
  get,
  ownersOf,
  param,
  scopeOwner,
} from './endpoint.ts'
import { badRequest, unsupportedOperation, unsupportedStatus } from './errors.ts'
import { expiry, ruleRequests } from './rule-request.ts'
import { listRuleLines } from './rules.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'
import { rucioDate } from './wire.ts'

const NewDids = Type.Array(Type.Intersect([DidBody, CollectionBody]))
const AttachBody = Type.Object({
  dids: Type.Array(FileBody),
  rse: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const AttachmentsBody = Type.Object({
  attachments: Type.Array(Type.Intersect([DidBody, AttachBody])),
  ignore_duplicate: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
})
const StatusBody = Type.Object({
  open: Type.Optional(Type.Boolean()),
  monotonic: Type.Optional(Type.Boolean()),
  expired_at: Type.Optional(Type.Unknown()),
})
/** A hundred thousand files with checksums and metadata fit. */
export const BULK_BODY = 256 * 1024 * 1024

type NewCollectionBody = Did & CollectionBody
type AttachmentBody = Did & { dids: FileBody[]; rse?: string | null }

export const didOf = (call: Call): Did => ({ scope: param(call, 'scope'), name: param(call, 'name') })

export const didEndpoints: readonly Endpoint[] = [
  get('/dids/:scope/dids/search', 'catalog.read', (call) => sendLines(call.reply, search(call))),
  get('/dids/:scope', 'catalog.read', (call) => sendLines(call.reply, wholeScope(call))),
  get('/dids/:scope/:name', 'catalog.read', async (call) => {
    const did = await getDid(call.deps.db, { vo: call.vo, ...didOf(call) })
    const names = await accountNames(call, [did.accountId])
    return sendJson(call.reply, didView(did, names.get(did.accountId) ?? null))
  }),
  {
    method: 'POST',
    path: '/dids/:scope/:name',
    action: 'catalog.did.create',
    resource: scopeOwner,
    bodyLimit: BULK_BODY,
    async handler(call) {
      await create(call, [{ ...didOf(call), ...bodyOf(call, CollectionBody) }])
      return sendCreated(call.reply)
    },
  },
  {
    method: 'POST',
    path: '/dids',
    action: 'catalog.did.create',
    resource: (call) =>
      ownersOf(
        call,
        'catalog.did.create',
        bodyOf(call, NewDids).map(({ scope }) => scope),
      ),
    bodyLimit: BULK_BODY,
    async handler(call) {
      await create(call, bodyOf(call, NewDids) as NewCollectionBody[])
      return sendCreated(call.reply)
    },
  },
  {
    method: 'POST',
    path: '/dids/attachments',
    action: 'catalog.did.update',
    resource: (call) =>
      ownersOf(
        call,
        'catalog.did.update',
        bodyOf(call, AttachmentsBody).attachments.map(({ scope }) => scope),
      ),
    bodyLimit: BULK_BODY,
    async handler(call) {
      const { attachments, ignore_duplicate: ignore } = bodyOf(call, AttachmentsBody)
      await attachAll(call, attachments as AttachmentBody[], ignore ?? false)
      return sendCreated(call.reply)
    },
  },
  {
    method: 'POST',
    path: '/dids/:scope/:name/dids',
    action: 'catalog.did.update',
    resource: scopeOwner,
    bodyLimit: BULK_BODY,
    async handler(call) {
      await attachAll(call, [{ ...didOf(call), ...bodyOf(call, AttachBody) }], false)
      return sendCreated(call.reply)
    },
  },
  {
    method: 'DELETE',
    path: '/dids/:scope/:name/dids',
    action: 'catalog.did.update',
    resource: scopeOwner,
    bodyLimit: BULK_BODY,
    async handler(call) {
      const { dids } = bodyOf(call, DidsBody)
      await detach(call.deps.db, { vo: call.vo, now: call.now, ...didOf(call), dids })
      return sendCreated(call.reply, 200)
    },
  },
  get('/dids/:scope/:name/dids', 'catalog.read', (call) => sendLines(call.reply, content(call))),
  get('/dids/:scope/:name/files', 'catalog.read', (call) =>
    sendLines(call.reply, files(call, [didOf(call)])),
  ),
  {
    method: 'POST',
    path: '/dids/bulkfiles',
    action: 'catalog.read',
    handler: (call) => sendLines(call.reply, filesWithParents(call, bodyOf(call, DidsBody).dids)),
  },
  get('/dids/:scope/:name/parents', 'catalog.read', async (call) => {
    const parents = await listParents(call.deps.db, { vo: call.vo, ...didOf(call) })
    return sendLines(
      call.reply,
      parents.map(({ scope, name, kind }) => ({ scope, name, type: kind })),
    )
  }),
  get('/dids/:scope/:name/rules', 'placement.rule.read', (call) =>
    sendLines(call.reply, listRuleLines(call, { targets: [didOf(call)] })),
  ),
  get('/dids/:scope/:name/associated_rules', 'placement.rule.read', (call) =>
    sendLines(call.reply, listRuleLines(call, { targets: [didOf(call)], withAncestors: true })),
  ),
  {
    method: 'PUT',
    path: '/dids/:scope/:name/status',
    action: 'catalog.did.update',
    resource: scopeOwner,
    async handler(call) {
      const { open, monotonic } = bodyOf(call, StatusBody)
      if (open === undefined && monotonic === undefined) {
        throw unsupportedStatus('Only "open" and "monotonic" can be set.')
      }
      await setStatus(call.deps.db, {
        vo: call.vo,
        now: call.now,
        ...didOf(call),
        ...(open !== undefined && { open }),
        ...(monotonic !== undefined && { monotonic }),
      })
      return sendCreated(call.reply, 200)
    },
  },
  {
    method: 'DELETE',
    path: '/dids/:scope/:name/meta',
    action: 'catalog.did.update',
    resource: scopeOwner,
    async handler(call) {
      const key = call.query.key
      if (!key) throw badRequest('Which metadata key? Give it as ?key=…')
      await deleteMetadata(call.deps.db, { vo: call.vo, now: call.now, ...didOf(call), key })
      return sendCreated(call.reply, 200)
    },
  },
]

/** Datasets and containers with their first content and rules: all or nothing. */
async function create(call: Call, bodies: readonly NewCollectionBody[]): Promise<void> {
  const collections = bodies.map(
    (body): NewCollection => ({
      scope: body.scope,
      name: body.name,
      kind: collectionKind(body.type),
      monotonic: body.statuses?.monotonic ?? false,
      ...(body.meta && { meta: body.meta as Metadata }),
      expiresAt: expiry(call.now, body.lifetime),
    }),
  )
  const accountId = callerAccount(call)
  const rules = (
    await Promise.all(
      bodies.flatMap((body) => (body.rules ?? []).map((rule) => ruleRequests(call, rule, [body]))),
    )
  ).flat()
  for (const owner of new Set(rules.map((rule) => rule.accountId))) {
    call.deps.identity.authorize(call.principal, 'placement.rule.create', { vo: call.vo, owner })
  }
  const filled = bodies.filter((body) => (body.dids ?? []).length > 0)
  const attachments = filled.map(({ scope, name, dids, rse }) => ({
    scope,
    name,
    dids: dids ?? [],
    rse: rse ?? null,
  }))
  await transaction(call.deps.db, async (tx) => {
    await addCollections(tx, { vo: call.vo, now: call.now, accountId, collections })
    if (attachments.length > 0) await attachAll(call, attachments, false, tx)
    if (rules.length > 0) await call.deps.placement.addRules(tx, { vo: call.vo, now: call.now, rules })
  })
}

async function attachAll(
  call: Call,
  bodies: readonly AttachmentBody[],
  ignoreDuplicate: boolean,
  within?: Tx,
): Promise<void> {
  const attachments: Attachment[] = []
  for (const body of bodies) {
    const { scope, name, rse } = body
    if (rse) attachments.push({ scope, name, ...(await arrivingCopies(call, rse, body.dids)) })
    else attachments.push({ scope, name, dids: body.dids.map(partialReplica) })
  }
  const accountId = callerAccount(call)
  await attach(within ?? call.deps.db, {
    vo: call.vo,
    now: call.now,
    accountId,
    attachments,
    ignoreDuplicate,
  })
}

/** Files that are registered and attached in one go: whoever does that needs leave in their scopes, too. */
async function arrivingCopies(call: Call, rseName: string, bodies: readonly FileBody[]) {
  const owner = await ownersOf(
    call,
    'catalog.did.create',
    bodies.map(({ scope }) => scope),
  )
  call.deps.identity.authorize(call.principal, 'catalog.did.create', owner)
  const rse = await call.deps.rses.byName(call.vo, rseName)
  const dids = newCopies(rse, bodies)
  await verifyArrivals(
    call,
    rse,
    dids.filter(({ state }) => state === undefined || state === 'AVAILABLE'),
  )
  return { dids, rseId: rse.id }
}

function collectionKind(text: string): CollectionKind {
  const kind = text.toUpperCase()
  if (kind === 'DATASET' || kind === 'D') return 'DATASET'
  if (kind === 'CONTAINER' || kind === 'C') return 'CONTAINER'
  throw unsupportedOperation(
    'Only datasets and containers are created here; files come with their first copy.',
  )
}

function didView(did: AnyDid, account: string | null): Record<string, unknown> {
  const { scope, name, kind, bytes } = did
  if (did.kind === 'FILE') {
    return { scope, name, type: kind, account, bytes, length: 1, md5: did.md5, adler32: did.adler32 }
  }
  return {
    scope,
    name,
    type: kind,
    account,
    open: did.open,
    monotonic: did.monotonic,
    expired_at: did.expiresAt && rucioDate(did.expiresAt),
    length: did.files,
    bytes,
  }
}

const TYPES = new Set(['all', 'collection', 'dataset', 'container', 'file'])

async function* search(call: Call): AsyncGenerator<unknown> {
  const type = (call.query.type ?? 'collection').toLowerCase()
  if (!TYPES.has(type))
    throw badRequest(`"${type.slice(0, 40)}" is not a type; use ${[...TYPES].join(', ')}.`)
  const limit = Number(call.query.limit)
  const long = /^true$/i.test(call.query.long ?? '')
  const found = searchDids(call.deps.db, {
    vo: call.vo,
    scope: param(call, 'scope'),
    filter: readDidFilters(call.query.filters),
    type: type as 'all',
    recursive: /^true$/i.test(call.query.recursive ?? ''),
    ...(Number.isInteger(limit) && limit > 0 && { limit }),
  })
  for await (const chunk of found) {
    for (const { scope, name, kind, bytes, length } of chunk) {
      yield long ? { scope, name, did_type: kind, bytes, length } : name
    }
  }
}

async function* wholeScope(call: Call): AsyncGenerator<unknown> {
  const { name: wanted } = call.query
  const filter = wanted ? [[{ key: 'name', operator: '=' as const, value: wanted }]] : []
  const found = searchDids(call.deps.db, { vo: call.vo, scope: param(call, 'scope'), filter, type: 'all' })
  for await (const chunk of found) {
    for (const { scope, name, kind, bytes } of chunk)
      yield { scope, name, type: kind, parent: null, level: 0, bytes }
  }
}

async function* content(call: Call): AsyncGenerator<unknown> {
  for await (const chunk of listContent(call.deps.db, { vo: call.vo, ...didOf(call) })) {
    for (const { scope, name, kind, bytes, adler32, md5 } of chunk) {
      yield { scope, name, type: kind, bytes, adler32, md5 }
    }
  }
}

async function* files(call: Call, dids: readonly Did[]): AsyncGenerator<Record<string, unknown>> {
  const long = call.query.long !== undefined
  for await (const chunk of listFiles(call.deps.db, { vo: call.vo, dids })) {
    for (const { scope, name, bytes, adler32, guid } of chunk) {
      yield {
        scope,
        name,
        bytes,
        adler32,
        guid: guid?.replaceAll('-', '').toUpperCase() ?? null,
        events: null,
        ...(long && { lumiblocknr: null }),
      }
    }
  }
}

async function* filesWithParents(call: Call, dids: readonly Did[]): AsyncGenerator<unknown> {
  for (const did of dids) {
    for await (const file of files(call, [did]))
      yield { ...file, parent_scope: did.scope, parent_name: did.name }
  }
}

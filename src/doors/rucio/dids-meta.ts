import { Type } from 'typebox'
import { type DidMetadata, getMetadata, type Metadata, setMetadata } from '../../catalog/index.ts'
import { DidBody } from './bodies.ts'
import { didOf } from './dids.ts'
import { bodyOf, type Call, type Endpoint, get, ownersOf, param, scopeOwner } from './endpoint.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'

const Recursive = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
const ValueBody = Type.Object({ value: Type.Unknown(), recursive: Recursive })
const MetaBody = Type.Object({ meta: Type.Record(Type.String(), Type.Unknown()), recursive: Recursive })
const BulkMetaBody = Type.Object({
  dids: Type.Array(DidBody),
  inherit: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  plugin: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const BulkSetBody = Type.Object({
  dids: Type.Array(
    Type.Intersect([DidBody, Type.Object({ meta: Type.Record(Type.String(), Type.Unknown()) })]),
  ),
  recursive: Recursive,
})

/** Columns every answer has in the field, with null where this catalogue has no such value. */
const COLUMNS = {
  length: null,
  events: null,
  guid: null,
  project: null,
  datatype: null,
  run_number: null,
  stream_name: null,
  prod_step: null,
  version: null,
  campaign: null,
  task_id: null,
  panda_id: null,
  lumiblocknr: null,
  provenance: null,
  phys_group: null,
  transient: false,
  purge_replicas: true,
  accessed_at: null,
  eol_at: null,
  is_archive: false,
  constituent: null,
  hidden: false,
  obsolete: false,
  suppressed: false,
  is_new: null,
  expired_at: null,
  closed_at: null,
}

export const didMetaEndpoints: readonly Endpoint[] = [
  get('/dids/:scope/:name/meta', 'catalog.read', async (call) => {
    const [found] = await getMetadata(call.deps.db, { vo: call.vo, dids: [didOf(call)] })
    return sendJson(call.reply, found ? view(found, call.query.plugin) : {})
  }),
  {
    method: 'POST',
    path: '/dids/bulkmeta',
    action: 'catalog.read',
    async handler(call) {
      const { dids, inherit, plugin } = bodyOf(call, BulkMetaBody)
      const found = await getMetadata(call.deps.db, { vo: call.vo, dids, inherit: inherit ?? false })
      return sendLines(
        call.reply,
        found.map((did) => ({ ...view(did, plugin ?? 'JSON'), scope: did.scope, name: did.name })),
      )
    },
  },
  {
    method: 'POST',
    path: '/dids/bulkdidsmeta',
    action: 'catalog.did.update',
    resource: (call) =>
      ownersOf(
        call,
        'catalog.did.update',
        bodyOf(call, BulkSetBody).dids.map(({ scope }) => scope),
      ),
    async handler(call) {
      const { dids, recursive } = bodyOf(call, BulkSetBody)
      const changes = dids.map(({ scope, name, meta }) => ({ scope, name, meta: meta as Metadata }))
      await setMetadata(call.deps.db, { vo: call.vo, now: call.now, changes, recursive: recursive ?? false })
      return sendCreated(call.reply)
    },
  },
  {
    method: 'POST',
    path: '/dids/:scope/:name/meta',
    action: 'catalog.did.update',
    resource: scopeOwner,
    async handler(call) {
      const { meta, recursive } = bodyOf(call, MetaBody)
      return set(call, meta as Metadata, recursive ?? false)
    },
  },
  {
    method: 'POST',
    path: '/dids/:scope/:name/meta/:key',
    action: 'catalog.did.update',
    resource: scopeOwner,
    async handler(call) {
      const { value, recursive } = bodyOf(call, ValueBody)
      return set(call, { [param(call, 'key')]: value } as Metadata, recursive ?? false)
    },
  },
]

async function set(call: Call, meta: Metadata, recursive: boolean): Promise<unknown> {
  const changes = [{ ...didOf(call), meta }]
  await setMetadata(call.deps.db, { vo: call.vo, now: call.now, changes, recursive })
  return sendCreated(call.reply)
}

/** `plugin` chooses in the field between stores; here it chooses between columns, free keys, or both. */
function view(did: DidMetadata, plugin = 'DID_COLUMN'): Record<string, unknown> {
  if (plugin.toUpperCase() === 'JSON') return { ...did.meta }
  // Field keys such as run_number are columns there and free keys here, so both views show them.
  const known = Object.fromEntries(Object.entries(did.meta).filter(([key]) => key in COLUMNS))
  const columns = { ...COLUMNS, ...known, ...did.columns, scope: did.scope, name: did.name }
  return plugin.toUpperCase() === 'ALL' ? { ...did.meta, ...columns } : columns
}

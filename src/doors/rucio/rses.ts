import { Type } from 'typebox'
import {
  addRse,
  addRseProtocol,
  computePath,
  deleteRse,
  deleteRseAttribute,
  deleteRseDistance,
  deleteRseLimit,
  deleteRseProtocols,
  type ProtocolChoice,
  pfnOf,
  protocolsFor,
  type Rse,
  type RseProperties,
  type RseProtocol,
  readRseDistances,
  readRseUsage,
  setRseAttribute,
  setRseDistance,
  setRseLimit,
  setRseUsage,
  updateRse,
  updateRseProtocols,
} from '../../catalog/index.ts'
import { bodyOf, type Call, type Endpoint, get, param } from './endpoint.ts'
import { badRequest, noProtocol } from './errors.ts'
import { properties, protocolOf, protocolView, settings } from './rse-view.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'
import { rucioDate, wireId } from './wire.ts'

const Fields = Type.Object({})
const ValueBody = Type.Object({
  value: Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
})
const LimitBody = Type.Object({ name: Type.String(), value: Type.Optional(Type.Number()) })
const UsageBody = Type.Object({
  source: Type.String(),
  used: Type.Number({ minimum: 0 }),
  free: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  files: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
})

const found = (call: Call): Promise<Rse> => call.deps.rses.byName(call.vo, param(call, 'rse'))
const at = (call: Call) => ({ vo: call.vo, now: call.now, rse: param(call, 'rse') })

/** Every change of an RSE is an administrator's and is seen by the next request of this process. */
function admin(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  status: number,
  change: (call: Call) => Promise<unknown>,
): Endpoint {
  return {
    method,
    path,
    action: 'catalog.rse.admin',
    async handler(call) {
      await change(call)
      call.deps.rses.invalidate()
      return sendCreated(call.reply, status)
    },
  }
}

export const rseEndpoints: readonly Endpoint[] = [
  get('/rses', 'catalog.read', async (call) => {
    const { expression } = call.query
    if (expression) {
      const matched = await call.deps.rses.match(call.vo, expression)
      return sendLines(
        call.reply,
        matched.map(({ name }) => ({ rse: name })),
      )
    }
    return sendLines(call.reply, (await call.deps.rses.all(call.vo)).map(properties))
  }),
  get('/rses/:rse', 'catalog.read', async (call) => sendJson(call.reply, settings(await found(call)))),
  admin('POST', '/rses/:rse', 201, (call) =>
    addRse(call.deps.db, {
      vo: call.vo,
      now: call.now,
      uuid: call.deps.ids.uuid(),
      name: param(call, 'rse'),
      properties: readProperties((call.body ?? {}) as Record<string, unknown>),
    }),
  ),
  admin('PUT', '/rses/:rse', 201, (call) => {
    const body = bodyOf(call, Fields) as Record<string, unknown>
    const rename = body.rse ?? body.name
    return updateRse(call.deps.db, {
      vo: call.vo,
      now: call.now,
      name: param(call, 'rse'),
      properties: readProperties(body),
      ...(typeof rename === 'string' && { newName: rename }),
    })
  }),
  admin('DELETE', '/rses/:rse', 200, (call) =>
    deleteRse(call.deps.db, { vo: call.vo, now: call.now, name: param(call, 'rse') }),
  ),

  get('/rses/:rse/attr', 'catalog.read', async (call) =>
    sendJson(call.reply, (await found(call)).attributes),
  ),
  admin('POST', '/rses/:rse/attr/:key', 201, (call) => {
    const { value } = bodyOf(call, ValueBody)
    if (value === null) throw badRequest('An attribute needs a value.')
    return setRseAttribute(call.deps.db, { ...at(call), key: param(call, 'key'), value: typed(value) })
  }),
  admin('DELETE', '/rses/:rse/attr/:key', 200, (call) =>
    deleteRseAttribute(call.deps.db, { ...at(call), key: param(call, 'key') }),
  ),

  get('/rses/:rse/protocols', 'catalog.read', async (call) => {
    const { protocols, name } = await found(call)
    if (protocols.length === 0) throw noProtocol(`${name} has no protocol.`)
    return sendJson(call.reply, protocols.map(protocolView))
  }),
  get('/rses/:rse/protocols/:scheme', 'catalog.read', async (call) => {
    const rse = await found(call)
    const protocols = rse.protocols.filter(({ scheme }) => scheme === param(call, 'scheme'))
    if (protocols.length === 0) throw noProtocol(`${rse.name} has no protocol ${param(call, 'scheme')}.`)
    return sendJson(call.reply, settings({ ...rse, protocols }))
  }),
  admin('POST', '/rses/:rse/protocols/:scheme', 201, (call) => {
    const protocol = protocolOf(param(call, 'scheme'), bodyOf(call, Fields) as Record<string, unknown>)
    return addRseProtocol(call.deps.db, { ...at(call), protocol })
  }),
  ...['', '/:hostname', '/:hostname/:port'].flatMap((rest) => [
    admin('PUT', `/rses/:rse/protocols/:scheme${rest}`, 200, (call) => {
      const changes = bodyOf(call, Fields) as Record<string, unknown>
      const current = protocolOf(param(call, 'scheme'), { hostname: 'localhost', ...changes })
      const given: Partial<Record<keyof RseProtocol, unknown>> = {
        ...('prefix' in changes && { prefix: current.prefix }),
        ...('impl' in changes && { impl: current.impl }),
        ...('hostname' in changes && { hostname: current.hostname }),
        ...('port' in changes && { port: current.port }),
        ...('domains' in changes && { domains: current.domains }),
        ...('extended_attributes' in changes && { extendedAttributes: current.extendedAttributes }),
      }
      return updateRseProtocols(call.deps.db, {
        ...at(call),
        choice: choice(call),
        changes: given as Partial<RseProtocol>,
      })
    }),
    admin('DELETE', `/rses/:rse/protocols/:scheme${rest}`, 200, (call) =>
      deleteRseProtocols(call.deps.db, { ...at(call), choice: choice(call) }),
    ),
  ]),

  get('/rses/:rse/lfns2pfns', 'catalog.read', async (call) => {
    const rse = await found(call)
    const lfns = ([] as string[]).concat((call.query.lfn ?? []) as string | string[])
    const domain = call.query.domain === 'lan' ? 'lan' : 'wan'
    const operation =
      call.query.operation === 'read' || call.query.operation === 'delete' ? call.query.operation : 'write'
    const [protocol] = protocolsFor(rse, operation, domain).filter(
      ({ scheme }) => !call.query.scheme || scheme === call.query.scheme,
    )
    if (!protocol) throw noProtocol(`${rse.name} has no protocol for ${operation} in ${domain}.`)
    const pfns = lfns.map((lfn) => {
      const colon = lfn.indexOf(':')
      if (colon <= 0) throw badRequest(`"${lfn.slice(0, 80)}" is not scope:name.`)
      const did = { scope: lfn.slice(0, colon), name: lfn.slice(colon + 1) }
      return [lfn, pfnOf(rse, protocol, did, computePath(rse, did))] as const
    })
    return sendJson(call.reply, Object.fromEntries(pfns))
  }),

  get('/rses/:rse/usage', 'catalog.read', async (call) => {
    const rse = await found(call)
    const usage = await readRseUsage(call.deps.db, { rseIds: [rse.id], now: call.now })
    const wanted = usage.filter(({ source }) => !call.query.source || source === call.query.source)
    return sendLines(
      call.reply,
      wanted.map(({ source, used, free, files, updatedAt }) => ({
        rse: rse.name,
        rse_id: wireId(rse.uuid),
        source,
        used,
        free,
        total: free === null ? used : used + free,
        files,
        updated_at: rucioDate(updatedAt),
      })),
    )
  }),
  admin('PUT', '/rses/:rse/usage', 200, (call) => {
    const { source, used, free, files } = bodyOf(call, UsageBody)
    const count = (value: number | null | undefined): bigint | null =>
      typeof value === 'number' ? BigInt(Math.round(value)) : null
    return setRseUsage(call.deps.db, {
      ...at(call),
      source,
      used: BigInt(Math.round(used)),
      free: count(free),
      files: count(files),
    })
  }),
  get('/rses/:rse/limits', 'catalog.read', async (call) => sendJson(call.reply, (await found(call)).limits)),
  admin('PUT', '/rses/:rse/limits', 200, (call) => {
    const { name, value } = bodyOf(call, LimitBody)
    if (value === undefined || !Number.isFinite(value)) throw badRequest('A limit needs a number of bytes.')
    return setRseLimit(call.deps.db, { ...at(call), name, value: BigInt(Math.round(value)) })
  }),
  admin('DELETE', '/rses/:rse/limits', 200, (call) =>
    deleteRseLimit(call.deps.db, { ...at(call), name: bodyOf(call, LimitBody).name }),
  ),
  get('/rses/:rse/distances/:dst', 'catalog.read', async (call) => {
    const [src, dst] = [await found(call), await call.deps.rses.byName(call.vo, param(call, 'dst'))]
    const distances = await readRseDistances(call.deps.db, { vo: call.vo, srcId: src.id, dstId: dst.id })
    return sendJson(
      call.reply,
      distances.map(({ distance }) => ({
        src_rse_id: wireId(src.uuid),
        dest_rse_id: wireId(dst.uuid),
        distance,
      })),
    )
  }),
  admin('POST', '/rses/:rse/distances/:dst', 201, putDistance),
  admin('PUT', '/rses/:rse/distances/:dst', 200, putDistance),
  admin('DELETE', '/rses/:rse/distances/:dst', 200, (call) =>
    deleteRseDistance(call.deps.db, {
      vo: call.vo,
      now: call.now,
      src: param(call, 'rse'),
      dst: param(call, 'dst'),
      bidirectional: /^true$/i.test(call.query.bidirectional ?? ''),
    }),
  ),
]

function putDistance(call: Call): Promise<void> {
  const body = bodyOf(call, Fields) as Record<string, unknown>
  const distance = Number(body.distance ?? body.ranking)
  if (!Number.isInteger(distance) || distance < 0) throw badRequest('A distance is a whole number from 0.')
  return setRseDistance(call.deps.db, {
    vo: call.vo,
    now: call.now,
    src: param(call, 'rse'),
    dst: param(call, 'dst'),
    distance,
    bidirectional: body.bidirectional === true,
  })
}

function choice(call: Call): ProtocolChoice {
  const { hostname, port } = call.params
  return { scheme: param(call, 'scheme'), ...(hostname && { hostname }), ...(port && { port: Number(port) }) }
}

/** The command line sends attribute values as text. */
function typed(value: string | number | boolean): string | number | boolean {
  if (typeof value !== 'string') return value
  if (/^true$/i.test(value)) return true
  if (/^false$/i.test(value)) return false
  return value
}

const BOOLEANS = {
  deterministic: 'deterministic',
  volatile: 'volatile',
  staging_area: 'stagingArea',
  availability_read: 'canRead',
  availability_write: 'canWrite',
  availability_delete: 'canDelete',
} as const
const TEXTS = {
  city: 'city',
  region_code: 'regionCode',
  country_name: 'countryName',
  continent: 'continent',
  time_zone: 'timeZone',
  ISP: 'isp',
  ASN: 'asn',
  qos_class: 'qosClass',
} as const

function readProperties(body: Record<string, unknown>): Partial<RseProperties> {
  const read: Record<string, unknown> = {}
  for (const [wire, key] of Object.entries(BOOLEANS)) {
    const value = body[wire]
    if (typeof value === 'boolean' || typeof value === 'number') read[key] = Boolean(value)
    else if (typeof value === 'string') read[key] = /^(true|1|yes)$/i.test(value)
  }
  for (const [wire, key] of Object.entries(TEXTS)) if (typeof body[wire] === 'string') read[key] = body[wire]
  for (const key of ['latitude', 'longitude']) {
    if (body[key] !== undefined && body[key] !== null) read[key] = Number(body[key])
  }
  if (typeof body.rse_type === 'string') read.kind = body.rse_type.toUpperCase()
  if (typeof body.availability === 'number') {
    read.canRead = (body.availability & 4) !== 0
    read.canWrite = (body.availability & 2) !== 0
    read.canDelete = (body.availability & 1) !== 0
  }
  return read as Partial<RseProperties>
}

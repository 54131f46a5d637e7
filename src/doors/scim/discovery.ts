import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { baseOf, type Place, voOf } from './door.ts'
import { missing, sendScim } from './errors.ts'
import { listAnswer } from './list.ts'
import {
  ENTERPRISE,
  GROUP,
  INDIGO_GROUP,
  INDIGO_USER,
  SCHEMAS,
  type Schema,
  schemaNamed,
  USER,
} from './schemas.ts'

const everything = { offset: 0, limit: 1000 }
const Id = { params: Type.Object({ vo: Type.Optional(Type.String()), id: Type.String() }) }

/** `/ServiceProviderConfig`, `/Schemas` and `/ResourceTypes` (RFC 7644 §4). */
export function discovery(app: FastifyInstance, place: Place): void {
  const get = (path: string, answer: (base: string, id: string | undefined) => unknown): void =>
    route(app, {
      method: 'GET',
      url: `${place.prefix}${path}`,
      action: 'identity.read',
      ...(path.endsWith(':id') && { schema: Id }),
      resource: (request: FastifyRequest) => ({ vo: voOf(request) }),
      handler: (request, reply) =>
        sendScim(reply, answer(baseOf(place, request), (request.params as { id?: string }).id)),
    })
  get('/ServiceProviderConfig', (base) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: 1000 },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: false },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'Bearer token',
        description: 'A token with scim:read or scim:write, or of an administrator',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  }))
  get('/Schemas', (base) => whole(SCHEMAS.map((schema) => schemaView(schema, base))))
  get('/Schemas/:id', (base, id) => {
    const schema = schemaNamed(id ?? '')
    if (!schema) throw missing(`There is no schema "${id?.slice(0, 100)}".`)
    return schemaView(schema, base)
  })
  get('/ResourceTypes', (base) => whole(TYPES.map((type) => typeView(type, base))))
  get('/ResourceTypes/:id', (base, id) => {
    const type = TYPES.find(({ name }) => name === id)
    if (!type) throw missing(`There is no resource type "${id?.slice(0, 100)}".`)
    return typeView(type, base)
  })
}

const whole = (list: readonly Record<string, unknown>[]) => listAnswer(list.length, everything, list)

const TYPES = [
  { name: 'User', schema: USER, extensions: [INDIGO_USER, ENTERPRISE] },
  { name: 'Group', schema: GROUP, extensions: [INDIGO_GROUP] },
]

function typeView({ name, schema, extensions }: (typeof TYPES)[number], base: string) {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id: name,
    name,
    endpoint: `/${name}s`,
    schema,
    schemaExtensions: extensions.map((id) => ({ schema: id, required: false })),
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  }
}

function schemaView(schema: Schema, base: string) {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    ...schema,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${schema.id}` },
  }
}

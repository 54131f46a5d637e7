import type { TSchema } from 'typebox'
import type { Described } from './operation.ts'

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly required?: readonly string[]
}

function parameters(schema: TSchema | undefined, place: 'path' | 'query') {
  const { properties = {}, required = [] } = (schema ?? {}) as ObjectSchema
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: of,
  }))
}

/** The OpenAPI 3.1 document of the described operations. */
export function openApi(described: readonly Described[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { method, url, action, summary, schema, answer, contentType } of described) {
    const words = `${method === 'GET' ? '' : `${method.toLowerCase()} `}${url.replace('/kumi/v1/', '')}`
    const path = url.replace(/:(\w+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [method.toLowerCase()]: {
        summary,
        operationId: words.replace(/[^a-z]+(\w)?/gi, (_, c?: string) => c?.toUpperCase() ?? ''),
        'x-action': action,
        ...(action === 'public' && { security: [] }),
        parameters: [...parameters(schema?.params, 'path'), ...parameters(schema?.querystring, 'query')],
        ...(schema?.body && {
          requestBody: { required: true, content: { 'application/json': { schema: schema.body } } },
        }),
        responses: {
          200: {
            description: summary,
            content: { [contentType ?? 'application/json']: { schema: answer ?? {} } },
          },
          default: { $ref: '#/components/responses/Error' },
        },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kumihimo',
      version,
      description: 'What no standard covers: sites, explanations, policy, live pictures.',
    },
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        session: { type: 'apiKey', in: 'cookie', name: 'kumi_session' },
      },
      responses: { Error: { description: 'What is wrong and what to do about it' } },
    },
  }
}

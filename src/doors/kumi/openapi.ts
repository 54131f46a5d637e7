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
  const paths = described.map(({ url, action, summary, schema, answer, contentType }) => [
    url.replace(/:(\w+)/g, '{$1}'),
    {
      get: {
        summary,
        operationId: url
          .replace('/kumi/v1/', '')
          .replace(/[^a-z]+(\w)?/gi, (_, c?: string) => c?.toUpperCase() ?? ''),
        'x-action': action,
        ...(action === 'public' && { security: [] }),
        parameters: [...parameters(schema?.params, 'path'), ...parameters(schema?.querystring, 'query')],
        responses: {
          200: {
            description: summary,
            content: { [contentType ?? 'application/json']: { schema: answer ?? {} } },
          },
          default: { $ref: '#/components/responses/Error' },
        },
      },
    },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kumihimo',
      version,
      description: 'What no standard covers: sites, explanations, live pictures.',
    },
    security: [{ bearer: [] }, { session: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        session: { type: 'apiKey', in: 'cookie', name: 'kumi_session' },
      },
      responses: { Error: { description: 'What is wrong and what to do about it' } },
    },
  }
}

import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { type AuthorityChain, formatLsc, formatVomses, type Identity } from '../../identity/index.ts'
import { defineError } from '../../kernel/index.ts'

const missing = defineError('missing', 'voms_contact_missing')

/** How clients reach the attribute authority, and how everybody recognises its signature. */
export interface VomsContactFacts {
  readonly host: string
  readonly port: number
  /** Name of the certificate shown in TLS, slash form. */
  readonly subject: string
  readonly chain: AuthorityChain
}

const Vo = Type.Object({ vo: Type.String({ maxLength: 64 }) })
const VoFile = Type.Object({ vo: Type.String({ maxLength: 64 }), file: Type.String({ maxLength: 300 }) })

/** The two files that a client needs, at the places where it keeps them. */
export function registerVomsContact(
  app: FastifyInstance,
  { identity, contact }: { identity: Pick<Identity, 'listVos'>; contact: () => VomsContactFacts },
): void {
  const known = async (vo: string): Promise<void> => {
    if (!(await identity.listVos()).some(({ id }) => id === vo)) throw missing(`There is no VO ${vo} here.`)
  }
  route(app, {
    method: 'GET',
    url: '/vomses/:vo',
    action: 'public',
    schema: { params: Vo },
    handler: async ({ params: { vo } }, reply) => {
      await known(vo)
      const { host, port, subject } = contact()
      return reply
        .type('text/plain; charset=utf-8')
        .send(formatVomses({ alias: vo, host, port, subject, vo }))
    },
  })
  route(app, {
    method: 'GET',
    url: '/vomsdir/:vo/:file',
    action: 'public',
    schema: { params: VoFile },
    handler: async ({ params: { vo, file } }, reply) => {
      await known(vo)
      const { host, chain } = contact()
      if (file !== `${host}.lsc`)
        throw missing(`The authority of ${vo} is described in /vomsdir/${vo}/${host}.lsc.`)
      return reply.type('text/plain; charset=utf-8').send(formatLsc(chain))
    },
  })
}

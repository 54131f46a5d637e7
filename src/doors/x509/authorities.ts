import type { FastifyInstance } from 'fastify'
import { route } from '../../http/index.ts'
import { certificateMissing, trustFiles } from '../../identity/index.ts'
import type { X509DoorDeps } from './deps.ts'

/** What everybody must be able to fetch to trust the certificates of this grid. */
export function registerAuthorities(app: FastifyInstance, { identity, authorities }: X509DoorDeps): void {
  route(app, {
    method: 'GET',
    url: '/ca/people.crl',
    action: 'public',
    handler: async (_request, reply) => {
      const list = await identity.revokedList()
      if (!list) throw certificateMissing('This grid issues no certificates to people.')
      return reply.type('application/pkix-crl').header('cache-control', 'max-age=60').send(list)
    },
  })

  route(app, {
    method: 'GET',
    url: '/ca/authorities.pem',
    action: 'public',
    handler: (_request, reply) =>
      reply
        .type('application/x-pem-file')
        .send(authorities.map(({ certificatePem }) => certificatePem).join('')),
  })

  route(app, {
    method: 'GET',
    url: '/ca/trust',
    action: 'public',
    handler: () => ({ files: authorities.flatMap((authority) => trustFiles(authority)) }),
  })
}

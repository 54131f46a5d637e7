import { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { notAuthenticated, type Standing } from '../../identity/index.ts'
import { BASE, callerOf, type OidcDoorDeps, unstored, VoParams } from './door.ts'

const Credentials = Type.Union([
  Type.Object({ code: Type.String({ minLength: 1, maxLength: 200 }) }),
  Type.Object({
    username: Type.String({ minLength: 1, maxLength: 200 }),
    password: Type.String({ maxLength: 1024 }),
    account: Type.Optional(Type.String()),
  }),
])
const url = `${BASE}/session`
const params = { params: VoParams }

/** The console's session: its secret is in a cookie that scripts cannot read and other sites cannot send. */
export function session(app: FastifyInstance, { identity, clock }: OidcDoorDeps): void {
  route(app, {
    method: 'POST',
    url,
    action: 'public',
    schema: { ...params, body: Credentials },
    handler: async (request, reply) => {
      // A page elsewhere can post a form, but cannot set this header: nobody is logged in as somebody else unawares.
      if (request.headers['x-kumi-console'] !== '1') {
        throw notAuthenticated('A session begins only with the header X-Kumi-Console: 1.')
      }
      const { vo } = request.params
      const { body } = request
      const { accountId } =
        'code' in body
          ? await identity.takeLoginCode(vo, body.code)
          : await identity.checkPassword({
              ...{ vo, username: body.username, password: body.password, peer: request.ip },
              ...(body.account !== undefined && { account: body.account }),
            })
      const opened = await identity.openSession({
        ...{ accountId, address: request.ip },
        userAgent: request.headers['user-agent'] ?? '',
      })
      const { expiresAt } = opened.session
      const seconds = Math.floor((expiresAt.getTime() - clock.now().getTime()) / 1000)
      return unstored(reply)
        .header('set-cookie', cookie(request, opened.secret, seconds))
        .send({
          account: opened.account,
          vo,
          expires_at: expiresAt.toISOString(),
          ...mustSign(opened.standing),
        })
    },
  })
  route(app, {
    method: 'GET',
    url,
    action: 'public',
    schema: params,
    handler: async ({ params: { vo }, principal }, reply) => {
      const { account, accountId, expiresAt } = callerOf(principal, vo)
      const standings = await identity.standingOf(accountId === null ? [] : [accountId])
      const standing = standings.get(accountId ?? -1) ?? { state: 'good' as const }
      return unstored(reply).send({ account, vo, expires_at: expiresAt.toISOString(), ...mustSign(standing) })
    },
  })
  route(app, {
    method: 'DELETE',
    url,
    action: 'public',
    schema: params,
    handler: async (request, reply) => {
      const { method, vo, accountId, tokenId } = request.principal
      if (method === 'session' && accountId !== null && vo === request.params.vo) {
        await identity.endSession(vo, accountId, tokenId)
      }
      return unstored(reply)
        .header('set-cookie', cookie(request, '', 0))
        .code(204)
        .send()
    },
  })
}

/** Whoever has to sign the usage policy is told so; until then the session serves for nothing else. */
const mustSign = (standing: Standing) =>
  standing.state === 'good' ? {} : { standing: { code: standing.code, message: standing.message } }

function cookie(request: Pick<FastifyRequest, 'raw'>, value: string, seconds: number): string {
  const secure = request.raw.socket instanceof TLSSocket ? '; Secure' : ''
  return `kumi_session=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
}

import { Type } from 'typebox'
import { actorOf } from '../../identity/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'

const Algorithm = literals('ES256', 'RS256')
const SigningKeys = Type.Object({
  keys: Type.Array(
    Type.Object({
      kid: Type.String(),
      alg: Algorithm,
      signsFrom: Type.String({ format: 'date-time' }),
      signsNow: Type.Boolean(),
    }),
  ),
  next: Algorithm,
})

/** With which keys the tokens of a VO are signed. */
export function registerSigningKeys(door: Operations, { identity }: KumiDoorDeps): void {
  const url = '/kumi/v1/signing-keys'
  door.get({
    url,
    action: 'identity.read',
    summary: 'Published keys of the VO, and the algorithm of the next one',
    answer: SigningKeys,
    handler: ({ principal }) => identity.signingKeys(principal.vo),
  })
  door.put({
    url,
    action: 'identity.access',
    summary: 'Tokens are signed with this algorithm as soon as its key has been published for four days',
    schema: { body: Type.Object({ alg: Algorithm }) },
    answer: SigningKeys,
    handler: async ({ principal, body }) => {
      await identity.setAlgorithm(principal.vo, body.alg, actorOf(principal))
      return identity.signingKeys(principal.vo)
    },
  })
}

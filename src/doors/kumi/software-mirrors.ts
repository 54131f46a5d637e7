import { Type } from 'typebox'
import { actorOf, type Principal } from '../../identity/index.ts'
import type { Software } from '../../software/index.ts'
import type { Operations } from './operation.ts'
import { Mirror, Repository } from './software-answers.ts'

const Named = Type.Object({ name: Type.String({ maxLength: 60 }) })
const base = '/kumi/v1/software/mirrors'

const asked = ({ principal, params }: { principal: Principal; params: { name: string } }) => ({
  ...{ name: params.name, vo: principal.vo, account: actorOf(principal) },
})

/** Repositories of others that are served here, too. */
export function registerMirrors(door: Operations, software: Software): void {
  door.get({
    url: base,
    action: 'software.read',
    summary: 'Mirrored repositories: where they come from, when that was verified, how much is copied',
    answer: Type.Object({ mirrors: Type.Array(Mirror) }),
    handler: async ({ principal }) => ({ mirrors: await software.mirrors(principal.vo) }),
  })
  door.post({
    url: base,
    action: 'software.admin',
    summary:
      'Serves a repository of others, verified by its public keys: what is asked for is fetched and kept',
    schema: {
      body: Type.Object({
        name: Type.String({ maxLength: 60 }),
        title: Type.Optional(Type.String({ maxLength: 1000 })),
        /** The preferred first. */
        urls: Type.Array(Type.String({ maxLength: 1000 }), { minItems: 1, maxItems: 8 }),
        /** One or more, in PEM. */
        publicPem: Type.String({ maxLength: 20_000 }),
      }),
    },
    answer: Repository,
    handler: ({ principal, body }) =>
      software.addMirror({
        ...{ ...body, title: body.title ?? '', vo: principal.vo, account: actorOf(principal) },
      }),
  })
  door.post({
    url: `${base}/:name/sync`,
    action: 'software.admin',
    summary: 'Copies all of a mirrored repository, now and whenever it changes',
    schema: { params: Named },
    answer: Repository,
    handler: (request) => software.completeMirror(asked(request)),
  })
  door.delete({
    url: `${base}/:name`,
    action: 'software.admin',
    summary: 'Serves a mirrored repository no more, and removes what is here of it',
    schema: { params: Named },
    answer: Type.Object({ removed: Type.Boolean() }),
    handler: async (request) => {
      await software.removeMirror(asked(request))
      return { removed: true }
    },
  })
}

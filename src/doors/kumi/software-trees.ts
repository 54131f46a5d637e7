import { Type } from 'typebox'
import type { SeenEntry, Software } from '../../software/index.ts'
import type { Operations } from './operation.ts'
import { Compared, Seen } from './software-answers.ts'

const Named = Type.Object({ name: Type.String({ maxLength: 60 }) })
const revision = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** The trees of repositories for people with a browser; programs read them at the door of CVMFS. */
export function registerSoftwareTrees(door: Operations, { browser }: Software): void {
  const base = '/kumi/v1/software/repositories/:name'
  door.get({
    url: `${base}/tree`,
    action: 'software.read',
    summary: 'A path of a revision: what is in a directory, how a file of text begins',
    schema: {
      params: Named,
      querystring: Type.Object({
        revision: Type.Optional(revision),
        path: Type.Optional(Type.String({ maxLength: 4096 })),
      }),
    },
    answer: Seen,
    handler: async ({ principal, params, query }) => {
      const at = query.revision === undefined ? undefined : BigInt(query.revision)
      const seen = await browser.look(params.name, principal.vo, { revision: at, path: query.path ?? '' })
      return { ...seen, entry: entryOf(seen.entry), content: seen.content.map(entryOf) }
    },
  })
  door.get({
    url: `${base}/compare`,
    action: 'software.read',
    summary: 'How two revisions differ',
    schema: { params: Named, querystring: Type.Object({ from: revision, to: revision }) },
    answer: Compared,
    handler: ({ principal, params, query }) =>
      browser.compare(params.name, principal.vo, [BigInt(query.from), BigInt(query.to)]),
  })
}

const entryOf = ({ path, kind, mode, mtime, size, target }: SeenEntry['entry']) => ({
  ...{ name: path.slice(path.lastIndexOf('/') + 1), path, kind, size, target: target ?? null },
  mode: mode.toString(8).padStart(4, '0'),
  modifiedAt: new Date(mtime * 1000),
})

import { Type } from 'typebox'
import type { Db } from '../../kernel/index.ts'
import { badReplicasOfSite, datasetTransfers } from '../../operations/index.ts'
import type { operations } from './operation.ts'

const count = Type.Integer()
const DatasetTransfers = Type.Object({
  done: count,
  adopted: count,
  failed: count,
  running: count,
  retries: count,
  bytes: Type.Number(),
})
const BadReplicas = Type.Object({
  bad: count,
  replicas: Type.Array(
    Type.Object({
      scope: Type.String(),
      name: Type.String(),
      rse: Type.String(),
      state: Type.String(),
      reason: Type.String(),
      at: Type.String({ format: 'date-time' }),
      resolvedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    }),
  ),
})
const MOST = 1000

/** What has happened so far to a dataset or at a site. */
export function registerHistories(door: ReturnType<typeof operations>, db: Db): void {
  door.get({
    url: '/kumi/v1/datasets/:scope/:name/transfers',
    action: 'transfer.read',
    summary: 'What it took to copy the files of a dataset',
    schema: { params: Type.Object({ scope: Type.String(), name: Type.String() }) },
    answer: DatasetTransfers,
    handler: ({ principal, params }) => datasetTransfers(db, principal.vo, params),
  })
  door.get({
    url: '/kumi/v1/sites/:name/bad-replicas',
    action: 'sites.read',
    summary: 'Copies at a site that were declared bad, newest first',
    schema: {
      params: Type.Object({ name: Type.String() }),
      querystring: Type.Object({ since: Type.Optional(Type.String({ format: 'date-time' })) }),
    },
    answer: BadReplicas,
    handler: async ({ principal, params, query }) => {
      const since = new Date(query.since ?? 0)
      const replicas = await badReplicasOfSite(db, principal.vo, params.name, since, MOST)
      return { bad: replicas.length, replicas }
    },
  })
}

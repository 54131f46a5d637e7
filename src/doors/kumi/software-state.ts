import { Type } from 'typebox'
import type { Db } from '../../kernel/database.ts'
import type { Clock } from '../../kernel/ports.ts'
import { softwarePicture, usesOfRepository } from '../../operations/index.ts'
import type { Operations } from './operation.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])

const Gateway = Type.Object({
  site: text,
  gateway: text,
  alive: Type.Boolean(),
  hits: count,
  misses: count,
  evictions: count,
  bytes: count,
  mostBytes: count,
  /** Those that its clients asked for, and how many revisions they do not see yet. */
  repositories: Type.Array(Type.Object({ name: text, revision: count, behind: count })),
})
const Concern = Type.Object({
  repository: text,
  problem: text,
  gateway: maybe(text),
  at: maybe(time),
  reason: maybe(text),
})
const Use = Type.Object({
  release: text,
  revision: count,
  root: text,
  jobType: text,
  owner: text,
  open: count,
  over: count,
  newestJob: count,
  lastAt: time,
})

/** Where software is and who uses it. */
export function registerSoftwareState(door: Operations, { db, clock }: { db: Db; clock: Clock }): void {
  door.get({
    url: '/kumi/v1/software/state',
    action: 'software.read',
    summary: 'What gateways keep of repositories and how far behind they are; what needs somebody',
    answer: Type.Object({ gateways: Type.Array(Gateway), concerns: Type.Array(Concern) }),
    handler: async ({ principal }) => {
      const { gateways, concerns } = await softwarePicture(db, clock.now(), principal.vo)
      return { gateways: [...gateways], concerns: [...concerns] }
    },
  })
  door.get({
    url: '/kumi/v1/software/repositories/:name/uses',
    action: 'workload.read',
    summary: 'Which jobs of the newest thousand submissions that use a repository run with which tree',
    schema: { params: Type.Object({ name: Type.String({ maxLength: 60 }) }) },
    answer: Type.Object({ uses: Type.Array(Use) }),
    handler: async ({ principal, params }) => ({
      uses: await usesOfRepository(db, principal.vo, params.name),
    }),
  })
}

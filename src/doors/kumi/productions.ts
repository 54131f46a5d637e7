import { Type } from 'typebox'
import { getScope, scopeDirectory } from '../../catalog/index.ts'
import { actorOf, denied, type Principal } from '../../identity/index.ts'
import {
  checkDefinition,
  defineProduction,
  extendProduction,
  filesNamed,
  judgeProduction,
  listProductions,
  ORDERS,
  orderProduction,
  type ReadDefinition,
  scopesOf,
  showProduction,
  tasksOfProduction,
} from '../../production/index.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { submitterOf } from './job-request.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'
import { lineAnswer, ProductionLine, ProductionShown, shownAnswer, TaskShown } from './production-answers.ts'

const Named = Type.Object({ name: Type.String({ maxLength: 80 }) })
const Reason = Type.Optional(Type.String({ maxLength: 500 }))
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }))
const Source = Type.String({ minLength: 1, maxLength: 8 << 20 })
const BODY = 12 << 20

/** Productions as production managers see and order them. */
export function registerProductions(door: Operations, deps: JobDoorDeps): void {
  const { db, clock } = deps

  door.get({
    url: '/kumi/v1/productions',
    action: 'production.read',
    summary: 'The newest productions with their progress, step by step',
    schema: { querystring: Type.Object({ limit }) },
    answer: Type.Object({ productions: Type.Array(ProductionLine) }),
    handler: async ({ principal, query }) => ({
      productions: (await listProductions(db, clock.now(), principal.vo, query.limit ?? 100)).map(lineAnswer),
    }),
  })
  door.post({
    url: '/kumi/v1/productions',
    action: 'production.write',
    summary: 'Define a production; with `check` it is only checked. Problems come with line and field',
    bodyLimit: BODY,
    schema: {
      body: Type.Object({
        definition: Source,
        /** Files of its programs, which lie beside the definition. */
        files: Type.Optional(
          Type.Array(
            Type.Object({
              name: Type.String({ maxLength: 255 }),
              executable: Type.Boolean(),
              content: Type.String({ contentEncoding: 'base64' }),
            }),
            { maxItems: 100 },
          ),
        ),
        group: Type.Optional(Type.String({ maxLength: 255 })),
        check: Type.Optional(Type.Boolean()),
      }),
    },
    answer: Type.Object({
      name: Type.String(),
      steps: Type.Integer(),
      cells: Type.Integer(),
      events: Type.Integer(),
    }),
    handler: async ({ principal, body }) => {
      const by = submitterOf(principal, body.group)
      const { definition: source, files = [], check = false } = body
      const read = await checkDefinition(deps, by.vo, source, files)
      await checkScopes(deps, principal, read)
      if (!check) await defineProduction(deps, { now: clock.now(), by, source, read })
      const { definition, cells } = read
      const events = cells.reduce((sum, cell) => sum + cell.events, 0)
      return { name: definition.name, steps: definition.steps.length, cells: cells.length, events }
    },
  })
  door.post({
    url: '/kumi/v1/productions-files',
    action: 'production.read',
    summary: 'Which files beside a definition it names: what a client has to send along',
    bodyLimit: BODY,
    schema: { body: Type.Object({ definition: Source }) },
    answer: Type.Object({ files: Type.Array(Type.String()) }),
    handler: async ({ body }) => ({ files: filesNamed(body.definition) }),
  })
  door.get({
    url: '/kumi/v1/productions/:name',
    action: 'production.read',
    summary: 'A production: its three states, its steps, what failed and why, its datablocks',
    schema: { params: Named },
    answer: ProductionShown,
    handler: async ({ principal, params }) =>
      shownAnswer(await showProduction(db, clock.now(), principal.vo, params.name)),
  })
  door.get({
    url: '/kumi/v1/productions/:name/tasks',
    action: 'production.read',
    summary: 'Tasks of a production, oldest first',
    schema: {
      params: Named,
      querystring: Type.Object({
        state: Type.Optional(literals('ready', 'submitted', 'verified', 'failed')),
        limit,
      }),
    },
    answer: Type.Object({ tasks: Type.Array(TaskShown) }),
    handler: async ({ principal, params, query }) => {
      const asked = {
        vo: principal.vo,
        name: params.name,
        state: query.state ?? null,
        limit: query.limit ?? 100,
      }
      const tasks = await tasksOfProduction(db, asked)
      return {
        tasks: tasks.map(({ stepId: _s, firstEvent: _f, jobId, ...task }) => ({ ...task, job: jobId })),
      }
    },
  })
  door.post({
    url: '/kumi/v1/productions/:name/validation',
    action: 'production.validate',
    summary: 'Say that a production may run, or that it may not',
    schema: { params: Named, body: Type.Object({ accept: Type.Boolean(), reason: Reason }) },
    answer: Type.Object({ done: Type.Boolean() }),
    handler: async ({ principal, params, body }) => {
      await judgeProduction(deps, {
        ...{ vo: principal.vo, now: clock.now(), name: params.name, by: actorOf(principal) },
        ...{ accept: body.accept, reason: body.reason ?? '' },
      })
      return { done: true }
    },
  })
  door.post({
    url: '/kumi/v1/productions/:name/orders',
    action: 'production.write',
    summary: 'Start or go on, hold, retry what failed, finish (take no new inputs) or cancel',
    schema: { params: Named, body: Type.Object({ order: literals(...ORDERS), reason: Reason }) },
    answer: Type.Object({ tasks: Type.Integer() }),
    handler: ({ principal, params, body }) =>
      orderProduction(deps, {
        ...{ vo: principal.vo, now: clock.now(), name: params.name, by: actorOf(principal) },
        ...{ order: body.order, reason: body.reason ?? '' },
      }),
  })
  door.post({
    url: '/kumi/v1/productions/:name/extension',
    action: 'production.write',
    summary: 'More cells, or more events in cells; the numbers are totals',
    bodyLimit: BODY,
    schema: { params: Named, body: Type.Object({ cells: Source }) },
    answer: Type.Object({ changed: Type.Integer() }),
    handler: ({ principal, params, body }) =>
      extendProduction(deps, {
        ...{ vo: principal.vo, now: clock.now(), name: params.name, source: body.cells },
      }),
  })
}

/** A production writes and reads in the name of whoever defines it: only what they may. Throws denied. */
async function checkScopes(
  { db, identity }: JobDoorDeps,
  principal: Principal,
  { definition }: ReadDefinition,
): Promise<void> {
  const { vo } = principal
  const { written, read } = scopesOf(definition)
  const { accountId: owner } = await getScope(db, { vo, name: written })
  identity.authorize(principal, 'catalog.did.create', { vo, owner })
  if (read.length === 0) return
  const reader = await identity.asAfterLogin(principal.accountId!)
  for (const scope of read) {
    const { allow, reason } = identity.explainAccess(reader, 'storage.read', {
      vo,
      path: `/${scopeDirectory(scope)}`,
    })
    if (!allow) throw denied(`You may not read data of ${scope} (${reason}).`)
  }
}

/** The door for what has no standard: sites, explanations, live pictures, events; and the console's files. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { ACTIONS, type Action } from '../../identity/index.ts'
import {
  linkLines,
  type NowPicture,
  nowPicture,
  ruleExplanation,
  ruleLines,
  siteLines,
  transferExplanation,
  transferLines,
} from '../../operations/index.ts'
import { registerAccess } from './access.ts'
import { answerOf, Grid, Me, Now, RuleExplained, TransferExplained } from './answers.ts'
import { serveConsole } from './console.ts'
import type { KumiDoorDeps } from './deps.ts'
import { registerDowntimes } from './downtimes.ts'
import { eventStream } from './events.ts'
import { registerGroups } from './groups.ts'
import { registerHistories } from './histories.ts'
import { registerIssuers } from './issuers.ts'
import { registerJobLists } from './job-lists.ts'
import { registerJobs } from './jobs.ts'
import { literals } from './literals.ts'
import { openApi } from './openapi.ts'
import { operations } from './operation.ts'
import { registerOperations } from './operations.ts'
import { registerPeople } from './people.ts'
import { registerPictures } from './pictures.ts'
import { registerProductions } from './productions.ts'
import { registerRaw } from './raw.ts'
import { registerRecipes } from './recipes.ts'
import { registerShifts } from './shifts.ts'
import { registerSigningKeys } from './signing-keys.ts'
import { registerSiteWork } from './site-work.ts'
import { registerSites } from './sites.ts'
import { registerSoftware } from './software.ts'
import { registerProposals } from './software-proposals.ts'
import { registerSoftwareState } from './software-state.ts'
import { registerSoftwareTrees } from './software-trees.ts'

export type { KumiDoorDeps } from './deps.ts'

/** What may be done at a storage door is in the scopes of the token, not in the policy. */
const POLICY_ACTIONS = (Object.keys(ACTIONS) as Action[]).filter((name) => !name.startsWith('storage.'))

const Id = Type.Object({ id: Type.String({ format: 'uuid' }) })
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 200 }))
// Many consoles watch one grid: they share a picture of this age.
const PICTURE_MS = 1000

/** Adds the routes below `/kumi/v1` and the console at `/`. */
export async function registerKumiDoor(app: FastifyInstance, deps: KumiDoorDeps): Promise<void> {
  const { db, clock, identity } = deps
  const door = operations(app)
  registerHistories(door, db)
  registerAccess(door, deps)
  registerPeople(door, deps)
  registerGroups(door, deps)
  registerIssuers(door, deps)
  registerSigningKeys(door, deps)
  await registerSoftware(app, door, deps.software)
  registerProposals(door, deps.software, deps)
  registerSoftwareTrees(door, deps.software)
  registerSoftwareState(door, deps)
  registerJobs(door, deps.jobs)
  registerPictures(door, deps.jobs)
  registerProductions(door, deps.jobs)
  registerRaw(door, deps)
  registerRecipes(door, deps.jobs)
  registerJobLists(door, deps.jobs)
  registerSiteWork(door, deps.jobs)
  registerSites(door, deps.jobs)
  registerDowntimes(door, deps)
  registerOperations(door, deps)
  registerShifts(door, deps)
  const pictures = new Map<string, { at: number; picture: Promise<NowPicture> }>()
  const picture = (vo: string): Promise<NowPicture> => {
    const now = clock.now()
    const kept = pictures.get(vo)
    if (kept && now.getTime() - kept.at < PICTURE_MS) return kept.picture
    const fresh = nowPicture(db, now, vo)
    pictures.set(vo, { at: now.getTime(), picture: fresh })
    fresh.catch(() => pictures.delete(vo))
    return fresh
  }

  door.get({
    url: '/kumi/v1/grid',
    action: 'public',
    summary: 'What this grid is and where to log in',
    answer: Grid,
    handler: async () => ({ vo: deps.vo, version: deps.version, issuer: `${deps.issuerBase}/${deps.vo}` }),
  })
  door.get({
    url: '/kumi/v1/me',
    action: 'operations.read',
    summary: 'Who asks, and what they may do with anything of their VO',
    answer: Me,
    handler: async ({ principal }) => {
      const { account, accountId, vo } = principal
      const managed =
        accountId === null ? [] : ((await identity.managedGroups([accountId])).get(accountId) ?? [])
      return {
        ...{ account, vo, admin: principal.attributes.admin?.toLowerCase() === 'true' },
        may: POLICY_ACTIONS.filter((action) => identity.explain(principal, action, { vo }).allow),
        manages: managed.map(({ path }) => path),
      }
    },
  })
  door.get({
    url: '/kumi/v1/sites',
    action: 'sites.read',
    summary: 'Sites with their state and fill level',
    answer: answerOf.sites,
    handler: async ({ principal }) => ({ sites: await siteLines(db, clock.now(), principal.vo) }),
  })
  door.get({
    url: '/kumi/v1/now',
    action: 'operations.read',
    summary: 'The present: what needs someone, totals, sites, live flows',
    answer: Now,
    handler: ({ principal }) => picture(principal.vo),
  })
  door.get({
    url: '/kumi/v1/transfers',
    action: 'transfer.read',
    summary: 'Transfers of one list: active, queued, failed (given up or waiting to be tried again) or done',
    schema: {
      querystring: Type.Object({
        state: Type.Optional(literals('active', 'queued', 'failed', 'done')),
        source: Type.Optional(Type.String()),
        destination: Type.Optional(Type.String()),
        limit,
      }),
    },
    answer: answerOf.transfers,
    handler: async ({ principal, query }) => {
      const { state = 'active', source, destination, limit: most = 200 } = query
      return {
        transfers: await transferLines(db, principal.vo, { list: state, source, destination, limit: most }),
      }
    },
  })
  door.get({
    url: '/kumi/v1/transfers/matrix',
    action: 'transfer.read',
    summary:
      'Every link: success and failure in the last hours, what it does now and why the rate is what it is',
    schema: {
      querystring: Type.Object({ hours: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 168 })) }),
    },
    answer: answerOf.links,
    handler: async ({ principal, query }) => ({
      links: await linkLines(db, clock.now(), principal.vo, query.hours ?? 24),
    }),
  })
  door.get({
    url: '/kumi/v1/transfers/:id/explain',
    action: 'transfer.read',
    summary: 'Why a transfer is in its present state',
    schema: { params: Id },
    answer: TransferExplained,
    handler: ({ principal, params }) => transferExplanation(db, clock.now(), principal.vo, params.id),
  })
  door.get({
    url: '/kumi/v1/rules',
    action: 'placement.rule.read',
    summary: 'Rules with their progress, stuck first',
    schema: {
      querystring: Type.Object({
        state: Type.Optional(literals('INJECT', 'REPLICATING', 'OK', 'STUCK', 'SUSPENDED')),
        account: Type.Optional(Type.String()),
        limit,
      }),
    },
    answer: answerOf.rules,
    handler: async ({ principal, query }) => ({
      rules: await ruleLines(db, principal.vo, {
        state: query.state,
        account: query.account,
        limit: query.limit ?? 200,
      }),
    }),
  })
  door.get({
    url: '/kumi/v1/rules/:id/explain',
    action: 'placement.rule.read',
    summary: 'What a rule holds, what it waits for, and why',
    schema: { params: Id },
    answer: RuleExplained,
    handler: ({ principal, params }) => ruleExplanation(db, principal.vo, params.id),
  })

  eventStream(app, deps)
  const document = openApi(
    [
      ...door.described,
      {
        method: 'GET',
        url: '/kumi/v1/events',
        action: 'operations.read',
        summary: 'Live events; resumes after Last-Event-ID',
        contentType: 'text/event-stream',
      },
    ],
    deps.version,
  )
  route(app, { method: 'GET', url: '/kumi/v1/openapi.json', action: 'public', handler: async () => document })
  await serveConsole(app, deps.consoleDirectory)
}

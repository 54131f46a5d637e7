import { Type } from 'typebox'
import {
  type CardRow,
  exclusionLines,
  explainEntity,
  holdEntity,
  hurryProbes,
  latestTests,
  listCards,
  orderCard,
  showCard,
  siteMatrix,
  testsOfSite,
} from '../../operations/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'
import { Card, CardShown, EntityShown, Exclusion, MatrixShown, Test } from './operations-answers.ts'

const time = Type.String({ format: 'date-time' })
const Id = Type.Object({ id: Type.Integer({ minimum: 1 }) })
const name = Type.String({ maxLength: 64 })
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }))
const MOST = 200

/** Only what the answer describes: the key is the detector's own. */
const cardLine = ({ key: _, ...card }: CardRow) => card

/** What is wrong with the grid, what was tested, and what is shut out. */
export function registerOperations(
  door: Operations,
  { db, clock }: Pick<KumiDoorDeps, 'db' | 'clock'>,
): void {
  door.get({
    url: '/kumi/v1/operations/cards',
    action: 'operations.read',
    summary: 'What a person has to look at, by cause, newest first; state=all: closed ones as well',
    schema: { querystring: Type.Object({ state: Type.Optional(literals('open', 'all')), limit }) },
    answer: Type.Object({ cards: Type.Array(Card) }),
    handler: async ({ principal, query }) => {
      const asked = { closed: query.state === 'all', limit: query.limit ?? MOST }
      return { cards: (await listCards(db, principal.vo, asked)).map(cardLine) }
    },
  })
  door.get({
    url: '/kumi/v1/operations/cards/:id',
    action: 'operations.read',
    summary: 'A card with all that was found and everything that was done about it',
    schema: { params: Id },
    answer: CardShown,
    handler: async ({ principal, params }) => {
      const { card, changes } = await showCard(db, principal.vo, BigInt(params.id))
      return { card: cardLine(card), changes }
    },
  })
  door.post({
    url: '/kumi/v1/operations/cards/:id',
    action: 'operations.shift',
    summary:
      'Take a card (ack), work on it or give it to somebody (own), write (note), close, retire or reopen it',
    schema: {
      params: Id,
      body: Type.Object({
        order: literals('ack', 'own', 'note', 'close', 'retire', 'reopen'),
        text: Type.Optional(Type.String({ maxLength: 2000 })),
        owner: Type.Optional(name),
        /** Until when its owner wants to be left alone with it. */
        until: Type.Optional(time),
      }),
    },
    answer: Card,
    handler: async ({ principal, params, body }) => {
      const { order, text = '', owner, until } = body
      const { vo, account, subject } = principal
      const card = await orderCard(db, clock.now(), {
        ...{ vo, id: BigInt(params.id), by: account ?? subject, order, text, owner },
        ...(until !== undefined && { until: new Date(until) }),
      })
      return cardLine(card)
    },
  })
  door.get({
    url: '/kumi/v1/operations/matrix',
    action: 'operations.read',
    summary: 'Sites by hours: the worst state, ends of jobs, downtimes and exclusions; worst sites first',
    schema: {
      querystring: Type.Object({ hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 672 })) }),
    },
    answer: MatrixShown,
    handler: ({ principal, query }) => siteMatrix(db, clock.now(), principal.vo, query.hours ?? 168),
  })
  door.get({
    url: '/kumi/v1/operations/tests',
    action: 'operations.read',
    summary: 'The last result of each active test; with site, the last results there',
    schema: { querystring: Type.Object({ site: Type.Optional(name), limit }) },
    answer: Type.Object({ tests: Type.Array(Test) }),
    handler: async ({ principal: { vo }, query: { site, limit: most = MOST } }) => ({
      tests: await (site === undefined ? latestTests(db, vo) : testsOfSite(db, vo, site, most)),
    }),
  })
  door.post({
    url: '/kumi/v1/operations/tests',
    action: 'operations.shift',
    summary: 'Test a site now, not only when its turn comes',
    schema: { body: Type.Object({ site: name }) },
    answer: Type.Object({ tests: Type.Integer() }),
    handler: async ({ principal, body }) => ({
      tests: await hurryProbes(db, principal.vo, body.site, clock.now()),
    }),
  })
  door.get({
    url: '/kumi/v1/operations/entities',
    action: 'operations.read',
    summary:
      'Sites and places where fewer pilots are started, or none, or that a person holds in; until when and why',
    answer: Type.Object({ entities: Type.Array(Exclusion) }),
    handler: async ({ principal }) => ({
      entities: await exclusionLines(db, clock.now(), principal.vo),
    }),
  })
  door.post({
    url: '/kumi/v1/operations/entities/:kind/:name/state',
    action: 'operations.shift',
    summary:
      'Decide about a site or place until a time, whatever the machine thinks: exclude, throttle, keep; free gives it back',
    schema: {
      params: Type.Object({ kind: literals('site', 'resource'), name }),
      body: Type.Object({
        state: literals('exclude', 'throttle', 'keep', 'free'),
        reason: Type.Optional(Type.String({ maxLength: 500 })),
        until: Type.Optional(time),
      }),
    },
    answer: Type.Object({ entities: Type.Array(Exclusion) }),
    handler: async ({ principal: { vo, account, subject }, params, body }) => {
      const { state, reason = '', until } = body
      const entities = await holdEntity(db, clock.now(), {
        ...{ vo, ...params, state, reason, by: account ?? subject },
        ...(until !== undefined && { until: new Date(until) }),
      })
      return { entities }
    },
  })
  door.get({
    url: '/kumi/v1/operations/explain',
    action: 'operations.read',
    summary: 'All from which the present state of a site, place or storage follows',
    schema: { querystring: Type.Object({ kind: literals('site', 'resource', 'storage'), name }) },
    answer: EntityShown,
    handler: ({ principal, query }) => explainEntity(db, clock.now(), { vo: principal.vo, ...query }),
  })
}

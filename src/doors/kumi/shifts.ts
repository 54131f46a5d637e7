import { Type } from 'typebox'
import {
  endShift,
  entriesOf,
  planShift,
  roster,
  shiftsNow,
  startShift,
  unplanShift,
  writeLog,
} from '../../operations/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const kind = literals('DP', 'expert', 'DC')
const person = Type.String({ minLength: 1, maxLength: 64 })
const Shift = Type.Object({
  id: count,
  kind,
  person: text,
  startsAt: time,
  endsAt: time,
  startedAt: maybe(time),
  handover: maybe(text),
  endedAt: maybe(time),
})
const Entry = Type.Object({
  id: count,
  shift: maybe(count),
  at: time,
  /** Null: written by the grid itself. */
  author: maybe(text),
  kind: text,
  text,
  card: maybe(count),
  site: maybe(text),
})
const DAY_MS = 86_400_000

/** Who watches, what they write, and what they tell the next one. */
export function registerShifts(door: Operations, { db, clock }: Pick<KumiDoorDeps, 'db' | 'clock'>): void {
  door.get({
    url: '/kumi/v1/operations/shifts',
    action: 'operations.read',
    summary: 'The roster: shifts from a day ago until so many days ahead',
    schema: { querystring: Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })) }) },
    answer: Type.Object({ shifts: Type.Array(Shift) }),
    handler: async ({ principal, query }) => {
      const now = clock.now().getTime()
      const [from, to] = [new Date(now - DAY_MS), new Date(now + (query.days ?? 14) * DAY_MS)]
      return { shifts: await roster(db, principal.vo, from, to) }
    },
  })
  door.post({
    url: '/kumi/v1/operations/shifts',
    action: 'operations.shift',
    summary: 'Put somebody on the roster',
    schema: { body: Type.Object({ kind, person, startsAt: time, endsAt: time }) },
    answer: Shift,
    handler: ({ principal: { vo }, body }) => {
      const times = { startsAt: new Date(body.startsAt), endsAt: new Date(body.endsAt) }
      return planShift(db, clock.now(), { vo, kind: body.kind, person: body.person, ...times })
    },
  })
  door.delete({
    url: '/kumi/v1/operations/shifts/:id',
    action: 'operations.shift',
    summary: 'Take a shift that has not begun off the roster',
    schema: { params: Type.Object({ id: Type.Integer({ minimum: 1 }) }) },
    answer: Type.Object({ id: count }),
    handler: async ({ principal, params: { id } }) => {
      await unplanShift(db, principal.vo, BigInt(id))
      return { id }
    },
  })
  door.get({
    url: '/kumi/v1/operations/shifts/now',
    action: 'operations.read',
    summary: 'Who watches now, what was handed over last, and a draft of what to hand over next',
    answer: Type.Object({ running: Type.Array(Shift), before: maybe(Shift), draft: text }),
    handler: ({ principal }) => shiftsNow(db, clock.now(), principal.vo),
  })
  door.post({
    url: '/kumi/v1/operations/shifts/start',
    action: 'operations.shift',
    summary: 'Begin the own shift, as planned or unplanned',
    schema: { body: Type.Object({ kind: Type.Optional(kind) }) },
    answer: Shift,
    handler: ({ principal: { vo, account, subject }, body }) =>
      startShift(db, clock.now(), { vo, kind: body.kind ?? 'DP', person: account ?? subject }),
  })
  door.post({
    url: '/kumi/v1/operations/shifts/end',
    action: 'operations.shift',
    summary: 'Hand the own shift over; without words the draft is handed over',
    schema: { body: Type.Object({ handover: Type.Optional(Type.String({ maxLength: 20_000 })) }) },
    answer: Shift,
    handler: ({ principal: { vo, account, subject }, body }) =>
      endShift(db, clock.now(), { vo, person: account ?? subject, text: body.handover }),
  })
  door.get({
    url: '/kumi/v1/operations/log',
    action: 'operations.read',
    summary: 'What happened and what people wrote, newest first; of one shift, or since a time',
    schema: {
      querystring: Type.Object({
        shift: Type.Optional(Type.Integer({ minimum: 1 })),
        since: Type.Optional(time),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      }),
    },
    answer: Type.Object({ entries: Type.Array(Entry) }),
    handler: async ({ principal, query: { shift, since, limit } }) => ({
      entries: await entriesOf(db, principal.vo, {
        ...{ shift: shift === undefined ? undefined : BigInt(shift), limit: limit ?? 100 },
        since: since === undefined ? undefined : new Date(since),
      }),
    }),
  })
  door.post({
    url: '/kumi/v1/operations/log',
    action: 'operations.shift',
    summary: 'Write into the log of the shift',
    schema: {
      body: Type.Object({
        text: Type.String({ minLength: 1, maxLength: 2000 }),
        site: Type.Optional(Type.String({ maxLength: 63 })),
        card: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
    },
    answer: Type.Object({ ok: Type.Boolean() }),
    handler: async ({ principal: { vo, account, subject }, body: { text: said, site, card } }) => {
      await writeLog(db, clock.now(), {
        ...{ vo, author: account ?? subject, text: said, site },
        card: card === undefined ? undefined : BigInt(card),
      })
      return { ok: true }
    },
  })
}

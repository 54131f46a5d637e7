import { expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { systemClock, transaction } from '../../kernel/index.ts'
import { planShift } from '../shifts/shifts.ts'
import { insertCard, openCards } from './card.store.ts'
import { tellOnCall } from './on-call.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date('2026-11-22T03:00:00Z')
const hours = (n: number) => new Date(now.getTime() + n * 3_600_000)

test('a card that nobody took is told to those on call now, once', async () => {
  const { db } = database
  const identity = await testIdentity(database, systemClock)
  for (const username of ['hanako', 'taro', 'boss'])
    await identity.createPerson({ vo, username, emails: [{ address: `${username}@example.org` }] }, 'admin')
  await planShift(db, now, { vo, kind: 'expert', person: 'hanako', startsAt: hours(-2), endsAt: hours(6) })
  await planShift(db, now, { vo, kind: 'expert', person: 'taro', startsAt: hours(6), endsAt: hours(14) })
  await planShift(db, now, { vo, kind: 'DC', person: 'boss', startsAt: hours(-2), endsAt: hours(6) })
  await transaction(db, (tx) =>
    insertCard(tx, now, vo, {
      ...{ key: 'site osaka', title: 'osaka: gateway is silent', severity: 'error', cause: null },
      ...{ entity: { kind: 'site', name: 'osaka' }, entities: [], findings: [] },
      ...{ firstSeen: hours(-4), lastSeen: now },
    }),
  )
  const open = await openCards(db, vo)
  const changes = [
    { kind: 'escalate', key: 'site osaka', to: 'expert', because: 'four hours' },
    { kind: 'stale', key: 'site osaka', because: 'seven days' },
  ] as const
  const look = () =>
    transaction(db, (tx) =>
      tellOnCall(tx, { tell: identity.tell, consoleUrl: 'https://grid.example' }, { vo, now, open, changes }),
    )
  await Promise.all([look(), look()])
  await look()
  const { items } = await identity.mails(vo, { offset: 0, limit: 10 })
  const told = items.filter(({ kind }) => kind === 'card.escalated')
  expect(told).toMatchObject([
    { recipient: 'hanako@example.org', subject: expect.stringContaining('未対応') },
  ])
  expect(told[0]!.body).toContain(`https://grid.example/#/cards/${open[0]!.id}`)
})

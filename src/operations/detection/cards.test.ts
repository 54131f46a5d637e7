import { describe, expect, it } from 'vitest'
import {
  type Card,
  type CardChange,
  type Cause,
  type Entity,
  type ExclusionQuestion,
  type Finding,
  groupIntoCards,
  guardExclusions,
  nextWorkingDay,
} from './index.ts'

const NOW = new Date('2026-03-02T12:00:00Z')
const MINUTE = 60_000
const HOUR = 3_600_000
const ago = (ms: number) => new Date(NOW.getTime() - ms)
const site = (name: string): Entity => ({ kind: 'site', name })
const release: Entity = { kind: 'release', name: 'r7' }

const finding = (rule: Finding['rule'], entity: Entity, more: Partial<Finding> = {}): Finding => ({
  ...{ rule, code: 'x', entity, severity: 'error', since: ago(MINUTE), facts: {}, within: [] },
  ...more,
})
const cause = (entity: Entity, explains: readonly string[] = [], more: Partial<Cause> = {}): Cause => ({
  ...{ entity, explains, within: [], of: 'jobs', n: 500, failed: 400, score: 90, sites: [], templates: [] },
  ...more,
})
const named = (one: Cause) => finding('R20', one.entity)

/** What a store does with changes. */
function apply(cards: readonly Card[], changes: readonly CardChange[]): Card[] {
  const all = new Map(cards.map((card) => [card.key, card]))
  for (const change of changes) {
    if (change.kind === 'open') {
      all.set(change.card.key, {
        ...{ ...change.card, state: 'NEW', acknowledgedAt: null, owner: null, expires: null },
        ...{ escalation: 'none', stale: false },
      })
    } else if (change.kind === 'update') {
      const card = { ...all.get(change.key)!, ...change.card }
      all.delete(change.key)
      all.set(card.key, card)
    } else if (change.kind === 'close') all.delete(change.key)
  }
  return [...all.values()]
}
const group = (
  findings: readonly Finding[],
  causes: readonly Cause[] = [],
  cards: readonly Card[] = [],
  now = NOW,
) => groupIntoCards(now, cards, findings, causes)
const keys = (cards: readonly Card[]) => cards.map(({ key }) => key).sort()

describe('cards', () => {
  it('are one for a site with all that is wrong there', () => {
    const storage: Entity = { kind: 'storage', name: 'KEK-DISK' }
    const cards = apply(
      [],
      group([
        finding('R08', site('kek')),
        finding('R14', site('kek')),
        finding('R13', storage, { within: [site('kek')] }),
        finding('R08', site('osaka'), { since: ago(2 * HOUR) }),
      ]),
    )
    expect(keys(cards)).toEqual(['site kek', 'site osaka'])
    expect(cards[0]).toMatchObject({
      entity: site('kek'),
      severity: 'error',
      entities: [site('kek'), storage],
    })
  })

  it('are one for a cause with all sites that show it', () => {
    const bad = cause(release, ['site kek', 'site osaka'])
    const cards = apply(
      [],
      group([named(bad), finding('R08', site('kek')), finding('R08', site('osaka'))], [bad]),
    )
    expect(keys(cards)).toEqual(['release r7'])
    expect(cards[0]!.findings).toHaveLength(3)
  })

  it('of a site are about the cause that is found later, as the same card', () => {
    const early = apply([], group([finding('R08', site('kek'))]))
    const bad = cause(release, ['site kek'])
    const changes = group([named(bad), finding('R08', site('kek'))], [bad], early)
    expect(changes).toMatchObject([
      { kind: 'update', key: 'site kek', card: { key: 'release r7', entity: release } },
    ])
    expect(apply(early, changes)).toMatchObject([{ key: 'release r7', firstSeen: early[0]!.firstSeen }])
  })

  it('of one trouble become the one that a person took, else the oldest', () => {
    const ill = [finding('R08', site('kek'), { since: ago(20 * MINUTE) }), finding('R08', site('osaka'))]
    const both = ill.flatMap((one) => apply([], group([one])))
    const bad = cause(release, ['site kek', 'site osaka'])
    const lives = (cards: readonly Card[]) =>
      group([named(bad), ...ill], [bad], cards).flatMap((one) =>
        one.kind === 'update' ? `${one.key} lives` : one.kind === 'close' ? `${one.key} ${one.reason}` : [],
      )
    expect(lives(both)).toEqual(['site kek lives', 'site osaka merged'])
    const taken = both.map((card) => (card.key === 'site osaka' ? { ...card, acknowledgedAt: NOW } : card))
    expect(lives(taken)).toEqual(['site osaka lives', 'site kek merged'])
  })

  it('stay beside a cause that began long after them', () => {
    const early = apply([], group([finding('R08', site('kek'), { since: ago(2 * HOUR) })]))
    const bad = cause(release, ['site kek'])
    const changes = group([named(bad), finding('R08', site('kek'))], [bad], early)
    expect(keys(apply(early, changes))).toEqual(['release r7', 'site kek'])
  })

  it('of a link wait ten minutes: an end that falls ill shows itself at its links first', () => {
    const link: Entity = { kind: 'link', name: 'A → B' }
    expect(group([finding('R19', link, { since: ago(9 * MINUTE) })])).toEqual([])
    expect(group([finding('R19', link, { since: ago(10 * MINUTE) })])).toMatchObject([{ kind: 'open' }])
  })

  it('leave a site that is ill by itself apart from a release that fails at the same time', () => {
    const bad = cause(release, ['site osaka'])
    const cards = apply(
      [],
      group([named(bad), finding('R14', site('kek')), finding('R08', site('osaka'))], [bad]),
    )
    expect(keys(cards)).toEqual(['release r7', 'site kek'])
  })

  it('are one for five places that fall ill one shortly after the other', () => {
    const five = [1, 2, 3, 4, 5].map((i) => finding('R14', site(`s${i}`), { since: ago(i * 20 * MINUTE) }))
    expect(apply([], group(five.slice(0, 4)))).toHaveLength(4)
    const early = apply([], group(five.slice(1)))
    const later = apply(early, group(five, [], early))
    expect(later).toMatchObject([{ entity: null }])
    expect(later[0]!.entities).toHaveLength(5)
    const sixth = finding('R14', site('s6'), { since: ago(0) })
    expect(apply(later, group([...five, sixth], [], later))).toHaveLength(1)
  })

  it('of many places are not of one that falls ill hours later, is full, or has a black hole', () => {
    const five = [1, 2, 3, 4, 5].map((i) => finding('R14', site(`s${i}`), { since: ago(i * MINUTE) }))
    const cards = apply([], group(five))
    expect(cards).toHaveLength(1)
    const late = ago(-3 * HOUR)
    const again = finding('R14', site('s1'), { since: late })
    const next = finding('R14', site('s6'), { since: late })
    const after = group([...five.slice(1), again, next], [], cards, ago(-4 * HOUR))
    expect(keys(apply(cards, after))).toContain('site s6')
    const storage = finding('R13', { kind: 'storage', name: 'D1' }, { within: [site('s1')] })
    expect(keys(apply(cards, group([...five, storage], [], cards)))).toContain('site s1')
    const hole = finding(
      'R10',
      { kind: 'node', name: 's7/wn1' },
      { severity: 'critical', within: [site('s7')] },
    )
    const ill = finding('R08', site('s7'), { since: ago(0) })
    expect(keys(apply(cards, group([...five, ill, hole], [], cards)))).toContain('site s7')
  })

  it('are not opened for information, nor for what few jobs of one user did', () => {
    const mia = cause({ kind: 'user', name: 'mia' }, ['site kek'], { n: 12, failed: 12 })
    const info = finding('R20', mia.entity, { severity: 'info' })
    expect(group([info, finding('R08', site('kek'))], [mia])).toEqual([])
    expect(group([finding('R01', site('kek'), { severity: 'info' })])).toEqual([])
  })

  it('are closed an hour after the last finding, and come back as themselves before', () => {
    const cards = apply([], group([finding('R08', site('kek'))]))
    expect(group([], [], cards, ago(-59 * MINUTE))).toEqual([])
    expect(group([], [], cards, ago(-60 * MINUTE))).toEqual([
      { kind: 'close', key: 'site kek', reason: 'over' },
    ])
    expect(group([finding('R08', site('kek'))], [], cards, ago(-30 * MINUTE))).toMatchObject([
      { kind: 'update' },
    ])
  })

  it('are not closed while something central fails: nobody can tell', () => {
    const everywhere = cause({ kind: 'central', name: 'everywhere' })
    let known = apply([], group([finding('R08', site('kek'), { since: ago(2 * HOUR) })]))
    for (const minutes of [30, 70, 110]) {
      known = apply(known, group([named(everywhere)], [everywhere], known, ago(-minutes * MINUTE)))
    }
    expect(keys(known)).toEqual(['central everywhere', 'site kek'])
    expect(keys(apply(known, group([], [], known, ago(-169 * MINUTE))))).toHaveLength(2)
    expect(apply(known, group([], [], known, ago(-170 * MINUTE)))).toEqual([])
  })

  it('that nobody takes go to the expert and to those on call, by their severity', () => {
    const told = (severity: Finding['severity'], ms: number, more: Partial<Card> = {}) => {
      const [card] = apply([], group([finding('R08', site('kek'), { severity, since: ago(ms) })]))
      return group([], [], [{ ...card!, ...more }]).flatMap((one) => (one.kind === 'escalate' ? one.to : []))
    }
    expect(told('critical', 14 * MINUTE)).toEqual([])
    expect(told('critical', 15 * MINUTE)).toEqual(['expert'])
    expect(told('critical', HOUR)).toEqual(['DC'])
    expect(told('critical', HOUR, { escalation: 'DC' })).toEqual([])
    expect(told('error', 4 * HOUR)).toEqual(['expert'])
    expect(told('error', 4 * HOUR, { state: 'ACK' })).toEqual([])
    expect(told('error', 4 * HOUR, { state: 'ACK', expires: ago(5 * HOUR) })).toEqual(['expert'])
    expect(told('warn', 4 * HOUR)).toEqual([])
    expect(told('warn', 22 * HOUR)).toEqual(['expert'])
  })

  it('of seven days, or whose time is over, are stale', () => {
    const [card] = apply([], group([finding('R08', site('kek'), { since: ago(7 * 24 * HOUR) })]))
    const stale = (more: Partial<Card>) =>
      group([], [], [{ ...card!, ...more }]).flatMap((one) => (one.kind === 'stale' ? one.because : []))
    expect(stale({})).toEqual(['seven days'])
    expect(stale({ state: 'DOWNTIME' })).toEqual([])
    expect(stale({ stale: true })).toEqual([])
    expect(stale({ firstSeen: ago(HOUR), expires: ago(MINUTE) })).toEqual(['expired'])
  })

  it('of a Friday wait for Monday in Japan', () => {
    expect(nextWorkingDay(new Date('2026-03-06T03:00:00Z'))).toEqual(new Date('2026-03-09T00:00:00Z'))
    // It is Monday there already.
    expect(nextWorkingDay(new Date('2026-03-08T16:00:00Z'))).toEqual(new Date('2026-03-10T00:00:00Z'))
  })
})

describe('the guard of exclusions', () => {
  const ill = (name: string, lastPercent = 90, since = ago(2 * HOUR)) =>
    finding('R08', site(name), {
      facts: { n: 20, lastMinutes: 0, lastPercent, failedPercent: lastPercent },
      since,
    })
  const slots = { a: 100, b: 100, c: 100, d: 100, e: 100, f: 100, g: 400, h: 100, i: 100, j: 100 }
  const ask = (question: Partial<ExclusionQuestion>) =>
    guardExclusions(NOW, { findings: [], causes: [], slots, exclusions: [], held: [], ...question }).map(
      (one) => `${one.site} ${one.action} ${one.because}`,
    )

  it('lets an ill site have a tenth of its slots', () => {
    expect(ask({ findings: [ill('a')] })).toEqual(['a throttle site is ill'])
    expect(ask({ findings: [ill('a', 40)] })).toEqual([])
  })
  it('does nothing when the cause is elsewhere', () => {
    expect(ask({ findings: [ill('a')], causes: [cause(release, ['site a'])] })).toEqual([
      'a none cause is elsewhere',
    ])
    const both = [cause(release, ['site a']), cause(site('a'))]
    expect(ask({ findings: [ill('a')], causes: both })).toEqual(['a throttle site is ill'])
    const everywhere = cause({ kind: 'central', name: 'everywhere' })
    expect(ask({ findings: [ill('a')], causes: [everywhere] })).toEqual(['a none cause is elsewhere'])
    expect(ask({ findings: [ill('a')], causes: [everywhere, cause(site('a'))] })).toEqual([
      'a none cause is elsewhere',
    ])
  })
  it('takes slots from a site whose own storage is the cause, not from those that use it', () => {
    const storage = cause({ kind: 'storage', name: 'A-DISK' }, ['site a', 'site b'], { within: [site('a')] })
    expect(ask({ findings: [ill('a'), ill('b')], causes: [storage] })).toEqual([
      'a throttle site is ill',
      'b none cause is elsewhere',
    ])
  })
  it('waits ten minutes: what else may be the cause shows itself a little later', () => {
    expect(ask({ findings: [ill('a', 90, ago(9 * MINUTE))] })).toEqual([])
    expect(ask({ findings: [ill('a', 90, ago(10 * MINUTE))] })).toHaveLength(1)
  })
  it('takes no more than a fifth of all slots within an hour, the oldest first', () => {
    const three = ['a', 'b', 'c'].map((name, i) => ill(name, 90, ago((9 - 2 * i) * HOUR)))
    expect(ask({ findings: three })).toEqual([
      'a throttle site is ill',
      'b throttle site is ill',
      'c none too much at once',
    ])
    const lately = [{ site: 'd', at: ago(30 * MINUTE), until: ago(MINUTE) }]
    expect(ask({ findings: three.slice(0, 2), exclusions: lately })[1]).toBe('b none too much at once')
    expect(ask({ findings: [ill('g')] })).toEqual(['g none too much at once'])
  })
  it('takes none when five fall ill at once', () => {
    const small = { a: 1, b: 1, c: 1, d: 1, e: 1, big: 1000 }
    const five = ['a', 'b', 'c', 'd', 'e'].map((name) => ill(name))
    expect(new Set(ask({ findings: five, slots: small }).map((one) => one.slice(2)))).toEqual(
      new Set(['none too much at once']),
    )
  })
  it('leaves alone what a person holds, and keeps out what is out', () => {
    expect(ask({ findings: [ill('a')], held: ['a'] })).toEqual(['a none held by a person'])
    const out = [{ site: 'a', at: ago(3 * HOUR), until: null }]
    expect(ask({ findings: [ill('a')], exclusions: out })).toEqual(['a throttle already out'])
  })
  it('shuts out a black hole whatever else is the matter', () => {
    const hole = finding('R10', site('a'), { severity: 'critical' })
    const everywhere = cause({ kind: 'central', name: 'everywhere' })
    expect(ask({ findings: [hole], causes: [everywhere] })).toEqual(['a exclude site is ill'])
  })
})

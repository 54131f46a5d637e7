import { explainedBy } from './causes.ts'
import { timerChanges } from './escalation.ts'
import { HOUR_MS, isOf, MINUTE_MS, signKey, worst } from './finding.ts'
import { EVERYWHERE_ENTITY } from './localise.ts'
import {
  type Card,
  type CardChange,
  type CardContent,
  type Cause,
  type Entity,
  entityKey,
  type Finding,
} from './types.ts'

/** A card without findings is closed after so long: what comes back earlier is the same trouble. */
export const QUIET_MS = HOUR_MS
/** Alarms whose onsets follow each other so closely belong together when there are `TOGETHER` of them. */
const LINK_MS = 30 * MINUTE_MS
const TOGETHER = 5
/** So long after the first of them others are taken for the same trouble. */
const JOINING_MS = 2 * HOUR_MS
/** A card so much older than a trouble is about something else. */
const OLDER_MS = HOUR_MS
/** When a second place falls ill within half an hour, what both share has so long to show itself; with a third, twice. */
const HESITATION_MS = 20 * MINUTE_MS
const LINK_HESITATION_MS = 10 * MINUTE_MS
/** Rules that say that a place is ill. */
const ILLNESS = /^R(03|08|14|19|20)$/
/** Rules that say why a place is ill: it has a black hole, its clock is wrong, or it is full. */
const ITS_OWN = /^R(10|12|13)$/
/** Rules about places that fall ill at once when something that they share does. */
const SPREADING = /^R(03|04|05|06|07|08|09|14|19)$/

interface Draft {
  readonly key: string
  readonly card: Card | null
  cause: Cause | null
  readonly findings: Finding[]
}

type Placed = Pick<Finding, 'entity' | 'within'>

/**
 * What becomes of the cards: findings go to the card of what causes them; those left over that began together get one
 * card; the rest one card for each site. Findings that are only for information open none. Closed cards are not to be
 * given. Changes are in an order in which they can be applied.
 */
export function groupIntoCards(
  now: Date,
  openCards: readonly Card[],
  findings: readonly Finding[],
  causes: readonly Cause[],
): CardChange[] {
  const loud = findings.filter(({ severity }) => severity !== 'info')
  const named = new Set(loud.flatMap(({ rule, entity }) => (rule === 'R20' ? entityKey(entity) : [])))
  const drafts = new Map<string, Draft>()
  for (const card of openCards) drafts.set(card.key, { key: card.key, card, cause: null, findings: [] })
  const homes = new Map<Cause, Draft>()
  for (const cause of causes) {
    if (!named.has(entityKey(cause.entity))) continue
    const place = isLink(cause) ? illEnd(cause, loud) : cause
    const home = togetherWith(place, drafts) ?? draftAt(drafts, cardKey(place))
    // The first named explains most.
    if (!isTogether(home) && place === cause) home.cause ??= cause
    homes.set(cause, home)
  }
  // Places first: a link goes with the end that is ill.
  for (const finding of [...loud].sort((a, b) => Number(isLink(a)) - Number(isLink(b)))) {
    const cause = causeOf(finding, causes)
    const home = cause ? homes.get(cause) : knownHome(finding, drafts)
    // What only few jobs of one user did is no card.
    if (cause && !home) continue
    const draft = home ?? draftAt(drafts, cardKey(finding))
    draft.findings.push(finding)
  }
  gatherTogether(drafts)
  const all = [...drafts.values()].filter((draft) => !hesitates(now, draft, [...drafts.values()]))
  return [...contentChanges(now, all, homes), ...timerChanges(now, openCards)]
}

/** All that is at one site has one card; what is nowhere in particular has its own. */
function cardKey(one: Placed): string {
  const site = siteOf(one)
  return site === null ? entityKey(one.entity) : `site ${site}`
}

function siteOf({ entity, within }: Placed): string | null {
  // A link is at two places and so at none.
  if (entity.kind === 'link') return null
  if (entity.kind === 'site') return entity.name
  return within.find(({ kind }) => kind === 'site')?.name ?? null
}

function draftAt(drafts: Map<string, Draft>, key: string): Draft {
  const known = drafts.get(key)
  if (known) return known
  const draft: Draft = { key, card: null, cause: null, findings: [] }
  drafts.set(key, draft)
  return draft
}

const isLink = ({ entity }: Placed): boolean => entity.kind === 'link'

/** The end of a link that is ill by itself; else the link. */
const illEnd = (link: Placed, findings: readonly Finding[]): Placed =>
  findings.find((one) => !isLink(one) && ILLNESS.test(one.rule) && isOf(link, entityKey(one.entity))) ?? link

/** The card of many places of which this is one. */
function togetherWith(one: Placed, drafts: ReadonlyMap<string, Draft>): Draft | undefined {
  const site = siteOf(one)
  // A node is never ill because others are.
  if (site === null || one.entity.kind === 'node') return undefined
  const has = ({ card }: Draft) => card?.findings.some((other) => siteOf(other) === site)
  return [...drafts.values()].find((draft) => isTogether(draft) && has(draft))
}

/** The cause that a finding belongs to: its own entity's, one that explains it, or one about a part of it. */
function causeOf(finding: Finding, causes: readonly Cause[]): Cause | undefined {
  const key = entityKey(finding.entity)
  return (
    causes.find((cause) => entityKey(cause.entity) === key) ??
    causes.find((cause) => explainedBy(cause, finding)) ??
    causes.find((cause) => (!isLink(cause) && isOf(cause, key)) || isOf(finding, entityKey(cause.entity)))
  )
}

/** The card of its site, else the card that has the finding, or another one of its site, already. */
function knownHome(finding: Finding, drafts: ReadonlyMap<string, Draft>): Draft | undefined {
  const own = drafts.get(cardKey(finding))
  if (own || ITS_OWN.test(finding.rule)) return own
  const key = signKey(finding)
  const all = [...drafts.values()]
  const ends = new Set(isLink(finding) ? finding.within.map(entityKey) : [])
  return (
    all.find(({ card }) => card?.findings.some((one) => signKey(one) === key)) ??
    all.find(({ findings }) => findings.some(({ entity }) => ends.has(entityKey(entity)))) ??
    togetherWith(finding, drafts)
  )
}

const isTogether = ({ key }: Pick<Draft, 'key'>): boolean => key.startsWith('together ')
const beginOf = ({ key }: Draft): number => Date.parse(key.slice('together '.length))
const onsetOf = ({ findings }: Draft): number => Math.min(...findings.map(({ since }) => since.getTime()))
const NOWHERE: Placed = { entity: { kind: 'central', name: '' }, within: [] }
/** What these have is not told by their names. */
const LOCAL: ReadonlySet<Entity['kind']> = new Set(['site', 'resource', 'storage'])
/** Only a place is ill, and nobody knows why. */
const isLonely = (draft: Draft): boolean =>
  !isTogether(draft) &&
  LOCAL.has((draft.cause ?? draft.card?.cause ?? null)?.entity.kind ?? 'site') &&
  !draft.findings.some(({ rule }) => ITS_OWN.test(rule)) &&
  siteOf(draft.findings[0] ?? NOWHERE) !== null &&
  draft.findings.some(({ rule }) => SPREADING.test(rule))

/** Five places or more that fell ill one shortly after the other: one card. */
function gatherTogether(drafts: Map<string, Draft>): void {
  const onsets = [...drafts.values()]
    .filter(isLonely)
    .map((draft) => ({ draft, at: onsetOf(draft) }))
    .sort((a, b) => a.at - b.at || (a.draft.key < b.draft.key ? -1 : 1))
  const open = [...drafts.values()].filter(isTogether).map((draft) => {
    // What joins it long after it began is the next trouble.
    const latest = beginOf(draft) + JOINING_MS
    const times = (draft.card?.findings ?? []).map(sinceOf).filter((time) => time <= latest)
    return {
      draft,
      joins: (at: number) => times.some((time) => at <= latest && Math.abs(time - at) <= LINK_MS),
    }
  })
  for (const { draft, at } of onsets) {
    const home = open.find(({ joins }) => joins(at))
    if (home) moveInto(home.draft, draft)
  }
  for (const chain of chainsOf(onsets.filter(({ draft }) => draft.findings.length > 0))) {
    // Old cards are known for what they are; what is new makes them one.
    if (chain.length < TOGETHER || chain.every(({ draft }) => draft.card)) continue
    const target = draftAt(drafts, `together ${new Date(chain[0]!.at).toISOString()}`)
    for (const { draft } of chain) moveInto(target, draft)
  }
}

function moveInto(target: Draft, draft: Draft): void {
  target.findings.push(...draft.findings.splice(0))
}

function chainsOf<T extends { at: number }>(onsets: readonly T[]): T[][] {
  const chains: T[][] = []
  for (const one of onsets) {
    const chain = chains.at(-1)
    if (chain && one.at - chain.at(-1)!.at <= LINK_MS) chain.push(one)
    else chains.push([one])
  }
  return chains
}

/** A place that is not alone with its trouble waits with its card, unless it is grave. */
function hesitates(now: Date, draft: Draft, all: readonly Draft[]): boolean {
  if (draft.card || draft.findings.length === 0) return false
  // A storage that falls ill shows itself at its links first.
  if (draft.findings.every(isLink)) return now.getTime() - onsetOf(draft) < LINK_HESITATION_MS
  if (!isLonely(draft)) return false
  if (draft.findings.some(({ severity }) => severity === 'critical')) return false
  const at = onsetOf(draft)
  const others = all.filter(
    (other) =>
      other !== draft &&
      other.findings.length > 0 &&
      isLonely(other) &&
      Math.abs(onsetOf(other) - at) <= LINK_MS,
  )
  return now.getTime() - at < Math.min(others.length, 2) * HESITATION_MS
}

function contentChanges(now: Date, drafts: readonly Draft[], homes: ReadonlyMap<Cause, Draft>): CardChange[] {
  const whither = new Map<string, Draft>()
  for (const draft of drafts) for (const one of draft.findings) whither.set(signKey(one), draft)
  const opened: CardChange[] = []
  const closed: CardChange[] = []
  const swallowed: { card: Card; into: Draft }[] = []
  const central = drafts.find(({ key }) => key === entityKey(EVERYWHERE_ENTITY))?.card ?? null
  for (const { card, key, findings } of drafts) {
    if (!card || findings.length > 0) continue
    const into =
      card.findings.map((one) => whither.get(signKey(one))).find((other) => other !== undefined) ??
      [...homes].find(([cause]) =>
        card.findings.some((one) => explainedBy(cause, { ...one, facts: {} })),
      )?.[1]
    if (into && into.key !== key && !isOlder(card, into)) swallowed.push({ card, into })
    else if (quietSince(card, central) <= now.getTime() - QUIET_MS) {
      closed.push({ kind: 'close', key, reason: 'over' })
    }
  }
  for (const draft of drafts) {
    if (draft.findings.length === 0) continue
    const { key } = draft
    const card = draft.card ?? successor(swallowed, draft)
    const content = contentOf(now, { ...draft, card })
    opened.push(card ? { kind: 'update', key: card.key, card: content } : { kind: 'open', card: content })
    for (const other of swallowed) {
      if (other.into === draft && other.card !== card) {
        closed.push({ kind: 'close', key: other.card.key, reason: 'merged', into: key })
      }
    }
  }
  return [...opened, ...closed]
}

/** While something central fails nobody can tell whether anything else is over. */
const quietSince = ({ lastSeen }: Card, central: Card | null): number =>
  central && central.firstSeen.getTime() <= lastSeen.getTime() + QUIET_MS
    ? Math.max(lastSeen.getTime(), central.lastSeen.getTime())
    : lastSeen.getTime()

/** What was there long before another trouble began is not a part of it: nobody can tell before that is over. */
const isOlder = (card: Card, { findings, card: other }: Draft): boolean =>
  card.firstSeen.getTime() <
  Math.min(...(other ? [other.firstSeen.getTime()] : findings.filter(isNew(card)).map(sinceOf))) - OLDER_MS

const sinceOf = ({ since }: Finding): number => since.getTime()
const isNew = (card: Card) => {
  const known = new Set(card.findings.map(signKey))
  return (one: Finding): boolean => !known.has(signKey(one))
}

/** Of the cards that turn out to be of one trouble the one lives on that a person took, else the oldest. */
function successor(swallowed: readonly { card: Card; into: Draft }[], draft: Draft): Card | null {
  const own = swallowed.filter(({ into }) => into === draft).map(({ card }) => card)
  own.sort(
    (a, b) =>
      Number(a.acknowledgedAt === null) - Number(b.acknowledgedAt === null) ||
      a.firstSeen.getTime() - b.firstSeen.getTime() ||
      (a.key < b.key ? -1 : 1),
  )
  return own[0] ?? null
}

function contentOf(now: Date, draft: Draft): CardContent {
  const { key, card, findings } = draft
  // A card that turned out to be about something else keeps what was seen, not what was held to be ill.
  const same = card?.key === key ? card : null
  const cause = draft.cause ?? same?.cause ?? null
  const places = (draft.cause?.sites ?? []).map((name): Entity => ({ kind: 'site', name }))
  const entities = [...(card?.entities ?? []), ...findings.map(({ entity }) => entity), ...places]
  const since = Math.min(
    ...findings.map((one) => one.since.getTime()),
    card?.firstSeen.getTime() ?? now.getTime(),
  )
  return {
    ...{ key, cause, findings, lastSeen: now, firstSeen: new Date(since) },
    entity: isTogether(draft) ? null : (cause?.entity ?? gravest(key, same, findings)),
    severity: worst(findings.map(({ severity }) => severity)),
    entities: [...new Map(entities.map((one) => [entityKey(one), one])).values()],
  }
}

/** The site itself where it is ill, else the one part that is. */
function gravest(key: string, card: Card | null, findings: readonly Finding[]): Entity | null {
  const own = findings.find(({ entity }) => entityKey(entity) === key)
  return own?.entity ?? card?.entity ?? findings[0]?.entity ?? null
}

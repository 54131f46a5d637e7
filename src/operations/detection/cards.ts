import { explainedBy } from './causes.ts'
import { timerChanges } from './escalation.ts'
import { HOUR_MS, isOf, MINUTE_MS, signKey, worst } from './finding.ts'
import { type Card, type CardChange, type CardContent, type Cause, entityKey, type Finding } from './types.ts'

/** A card without findings is closed after so long: what comes back earlier is the same trouble. */
export const QUIET_MS = HOUR_MS
/** Alarms whose onsets follow each other so closely belong together when there are `TOGETHER` of them. */
const LINK_MS = 30 * MINUTE_MS
const TOGETHER = 5
const FRESH_MS = HOUR_MS
/** Rules about places that fall ill at once when something that they share does. */
const SPREADING = /^R(03|04|05|06|07|08|09|14|19)$/

interface Draft {
  readonly key: string
  readonly card: Card | null
  readonly cause: Cause | null
  readonly findings: Finding[]
}

/**
 * What becomes of the cards: findings go to the card of what causes them; those left over that began together get one
 * card; the rest one card for each place. Findings that are only for information open none. Closed cards are not to be
 * given. Changes are in an order in which they can be applied.
 */
export function groupIntoCards(
  now: Date,
  openCards: readonly Card[],
  findings: readonly Finding[],
  causes: readonly Cause[],
): CardChange[] {
  const loud = findings.filter(({ severity }) => severity !== 'info')
  const named = causes.filter(({ entity }) =>
    loud.some((one) => one.rule === 'R20' && entityKey(one.entity) === entityKey(entity)),
  )
  const telling = named.filter((cause) => wholeOf(cause, named) === undefined)
  const drafts = new Map<string, Draft>()
  for (const card of openCards) drafts.set(card.key, draftOf(card.key, card, card.cause))
  for (const cause of telling) {
    const key = entityKey(cause.entity)
    drafts.set(key, draftOf(key, drafts.get(key)?.card ?? null, cause))
  }
  const homeless: Finding[] = []
  for (const finding of loud) {
    const part = causeOf(finding, causes)
    const cause = part && (wholeOf(part, named) ?? part)
    if (cause && !telling.includes(cause)) continue
    const home = cause ? drafts.get(entityKey(cause.entity)) : knownHome(finding, openCards, drafts)
    if (home) home.findings.push(finding)
    else homeless.push(finding)
  }
  for (const finding of homeless) placed(finding, drafts)
  gatherTogether(now, drafts)
  return [...contentChanges(now, [...drafts.values()]), ...timerChanges(now, openCards)]
}

const draftOf = (key: string, card: Card | null, cause: Cause | null): Draft => ({
  ...{ key, card, cause, findings: [] },
})

/** A cause that another is a part of: what fails at a storage of a site that is the cause itself is told with the site. */
const wholeOf = (part: Cause, causes: readonly Cause[]): Cause | undefined =>
  causes.find(({ entity }) => part.within.some((whole) => entityKey(whole) === entityKey(entity)))

/** The cause that a finding belongs to: its own entity's, one that explains it, or one about a part of it. */
function causeOf(finding: Finding, causes: readonly Cause[]): Cause | undefined {
  const key = entityKey(finding.entity)
  return (
    causes.find((cause) => entityKey(cause.entity) === key) ??
    causes.find((cause) => explainedBy(cause, finding)) ??
    causes.find((cause) => isOf(cause, key) || isOf(finding, entityKey(cause.entity)))
  )
}

/** The card that has the finding already, or that is about the same entity. */
function knownHome(
  finding: Finding,
  openCards: readonly Card[],
  drafts: ReadonlyMap<string, Draft>,
): Draft | undefined {
  const key = signKey(finding)
  const has = openCards.find((card) => card.findings.some((one) => signKey(one) === key))
  return drafts.get(entityKey(finding.entity)) ?? (has && drafts.get(has.key))
}

const siteOf = ({ entity, within }: Pick<Finding, 'entity' | 'within'>): string | null => {
  // A link is at two places and so at none.
  if (entity.kind === 'link') return null
  if (entity.kind === 'site') return entity.name
  return within.find(({ kind }) => kind === 'site')?.name ?? null
}

/** The card of the same site, or a new one. */
function placed(finding: Finding, drafts: Map<string, Draft>): void {
  const site = siteOf(finding)
  for (const draft of drafts.values()) {
    const about = [...(draft.card?.findings ?? []), ...draft.findings, ...(draft.cause ? [draft.cause] : [])]
    const own = about.some((one) => entityKey(one.entity) === draft.key && siteOf(one) === site)
    if (site !== null && own) {
      draft.findings.push(finding)
      return
    }
  }
  const key = entityKey(finding.entity)
  const draft = drafts.get(key) ?? draftOf(key, null, null)
  draft.findings.push(finding)
  drafts.set(key, draft)
}

const isTogether = (key: string): boolean => key.startsWith('together ')

/** Five places or more that fell ill one shortly after the other, nobody knows why: one card. */
function gatherTogether(now: Date, drafts: Map<string, Draft>): void {
  const single = [...drafts.values()].filter(
    (draft) =>
      !draft.cause && !isTogether(draft.key) && draft.findings.some(({ rule }) => SPREADING.test(rule)),
  )
  const onsets = single
    .map((draft) => ({ draft, at: Math.min(...draft.findings.map(({ since }) => since.getTime())) }))
    .sort((a, b) => a.at - b.at || (a.draft.key < b.draft.key ? -1 : 1))
  const open = [...drafts.values()].find((draft) => isTogether(draft.key))
  const times = (open?.card?.findings ?? []).map(({ since }) => since.getTime())
  const joins = (at: number) => times.some((time) => Math.abs(time - at) <= LINK_MS)
  for (const { draft, at } of open ? onsets : []) if (joins(at)) moveInto(open!, draft)
  for (const chain of chainsOf(onsets.filter(({ draft }) => draft.findings.length > 0))) {
    const newest = chain.at(-1)!.at
    if (chain.length < TOGETHER || newest < now.getTime() - FRESH_MS) continue
    const key = `together ${new Date(chain[0]!.at).toISOString()}`
    const target = drafts.get(key) ?? draftOf(key, null, null)
    drafts.set(key, target)
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

function contentChanges(now: Date, drafts: readonly Draft[]): CardChange[] {
  const whither = new Map<string, string>()
  for (const { key, findings } of drafts) for (const one of findings) whither.set(signKey(one), key)
  const opened: CardChange[] = []
  const closed: CardChange[] = []
  for (const draft of drafts) {
    const { key, card, findings } = draft
    if (findings.length > 0) {
      const content = contentOf(now, draft)
      opened.push(card ? { kind: 'update', key, card: content } : { kind: 'open', card: content })
    } else if (card) {
      const into = card.findings.map((one) => whither.get(signKey(one))).find((other) => other !== undefined)
      if (into) closed.push({ kind: 'close', key, reason: 'merged', into })
      else if (card.lastSeen.getTime() <= now.getTime() - QUIET_MS) {
        closed.push({ kind: 'close', key, reason: 'over' })
      }
    }
  }
  return [...opened, ...closed]
}

function contentOf(now: Date, { key, card, cause, findings }: Draft): CardContent {
  const entities = new Map(
    [...(card?.entities ?? []), ...findings.map(({ entity }) => entity)].map((one) => [entityKey(one), one]),
  )
  const since = Math.min(
    ...findings.map((one) => one.since.getTime()),
    card?.firstSeen.getTime() ?? now.getTime(),
  )
  const named =
    cause?.entity ?? card?.entity ?? findings.find(({ entity }) => entityKey(entity) === key)?.entity
  return {
    ...{ key, cause, findings },
    entity: isTogether(key) ? null : (named ?? null),
    severity: worst(findings.map(({ severity }) => severity)),
    entities: [...entities.values()],
    firstSeen: new Date(since),
    lastSeen: now,
  }
}

import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'

interface Finding {
  readonly rule: string
  readonly code: string
  readonly entity: { readonly kind: string; readonly name: string }
  readonly since: string
  readonly facts: Readonly<Record<string, number | string>>
}

interface Card {
  readonly id: number
  readonly title: string
  readonly state: string
  readonly severity: string
  readonly owner: string | null
  readonly firstSeen: string
  readonly lastSeen: string
  readonly stale: boolean
  readonly findings: readonly Finding[]
  readonly cause: { readonly templates: readonly { readonly text: string; readonly n: number }[] } | null
}

interface Change {
  readonly at: string
  readonly author: string | null
  readonly kind: string
  readonly text: string
}

export async function ls(options: SharedOptions & { all?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/kumi/v1/operations/cards${options.all ? '?state=all' : ''}`
    const { cards } = await client.json<{ cards: Card[] }>('GET', path)
    show(options, cards, () =>
      cards.length === 0
        ? 'No card is open: nothing needs attention.'
        : table(cards, [
            { title: 'ID', value: ({ id }) => id, right: true },
            { title: 'SEVERITY', value: ({ severity, stale }) => (stale ? `${severity} (stale)` : severity) },
            { title: 'STATE', value: ({ state }) => state },
            { title: 'OWNER', value: ({ owner }) => owner },
            { title: 'SINCE', value: ({ firstSeen }) => firstSeen },
            { title: 'WHAT', value: ({ title }) => title },
          ]),
    )
  })
}

export async function showCard(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/kumi/v1/operations/cards/${encodeURIComponent(id)}`
    const found = await client.json<{ card: Card; changes: Change[] }>('GET', path)
    show(options, found, () => describe(found))
  })
}

function describe({ card, changes }: { card: Card; changes: readonly Change[] }): string {
  const facts = (one: Finding) =>
    Object.entries(one.facts)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  const findings = card.findings.map(
    (one) =>
      `  ${one.rule} ${one.entity.kind} ${one.entity.name}: ${one.code} (${facts(one)}) since ${one.since}`,
  )
  const messages = (card.cause?.templates ?? []).map(({ text, n }) => `  ${n} × ${text}`)
  const history = changes.map(({ at, author, kind, text }) =>
    [`  ${at} ${author ?? 'the grid'}: ${kind}`, text].filter(Boolean).join(': '),
  )
  return [
    `Card ${card.id}, ${card.severity}, ${card.state}${card.owner ? ` (${card.owner})` : ''}: ${card.title}`,
    `First seen ${card.firstSeen}, last ${card.lastSeen}.`,
    ...(findings.length > 0 ? ['Found:', ...findings] : []),
    ...(messages.length > 0 ? ['What failures say:', ...messages] : []),
    'History:',
    ...history,
  ].join('\n')
}

export async function order(
  name: string,
  id: string,
  text: string | undefined,
  options: SharedOptions & { until?: string; to?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const card = await client.json<Card>('POST', `/kumi/v1/operations/cards/${encodeURIComponent(id)}`, {
      json: {
        order: name,
        ...(text !== undefined && { text }),
        ...(options.to !== undefined && { owner: options.to }),
        ...(options.until !== undefined && { until: new Date(options.until).toISOString() }),
      },
    })
    show(options, card, () => `Card ${card.id} is ${card.state}${card.owner ? ` (${card.owner})` : ''}.`)
  })
}

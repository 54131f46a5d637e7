import { setTimeout as delay } from 'node:timers/promises'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { didPath, parseDid } from '../client/names.ts'
import { accountName, collect } from '../client/rucio.ts'
import { badOption, interruption, type SharedOptions, show, whole } from '../common-options.ts'
import { table } from '../terminal.ts'

const stuck = defineError('conflict', 'rule_stuck')

interface Rule {
  readonly id: string
  readonly scope: string
  readonly name: string
  readonly account: string
  readonly state: string
  readonly rse_expression: string
  readonly copies: number
  readonly locks_ok_cnt: number
  readonly locks_replicating_cnt: number
  readonly locks_stuck_cnt: number
  readonly expires_at: string | null
  readonly error: string | null
}

interface AddOptions extends SharedOptions {
  readonly copies: string
  readonly lifetime?: string
  readonly activity?: string
  readonly source?: string
  readonly comment?: string
  readonly wait?: boolean
}

const rulePath = (id: string) => `/rucio/rules/${encodeURIComponent(id)}`

export async function add(name: string, storages: string, options: AddOptions): Promise<void> {
  const { scope, name: own } = parseDid(name)
  const order = {
    dids: [{ scope, name: own }],
    copies: above0('--copies', options.copies),
    rse_expression: storages,
    lifetime: options.lifetime === undefined ? null : above0('--lifetime', options.lifetime),
    activity: options.activity ?? null,
    source_replica_expression: options.source ?? null,
    comment: options.comment ?? null,
    grouping: 'DATASET',
  }
  await withClient(options, async (client) => {
    const ids = await client.json<string[]>('POST', '/rucio/rules/', { json: order })
    if (options.wait) for (const id of ids) await fulfilled(client, id, options)
    show(options, ids, () => ids.join('\n'))
  })
}

async function fulfilled(client: GridClient, id: string, options: SharedOptions): Promise<void> {
  const stop = interruption()
  try {
    for (let before = ''; !stop.signal.aborted; ) {
      const rule = await client.json<Rule>('GET', rulePath(id))
      if (rule.state === 'OK') return
      if (rule.state === 'STUCK')
        throw stuck(`Rule ${id} is stuck: ${rule.error ?? 'no reason given'}.`, {
          hint: `kumi rule explain ${id}`,
        })
      const line = `${rule.locks_ok_cnt} of ${locks(rule)} copies are there`
      if (line !== before && !options.quiet) process.stderr.write(`${line}\n`)
      before = line
      await delay(1000, undefined, { signal: stop.signal }).catch(() => undefined)
    }
    throw stuck(`Interrupted; rule ${id} goes on.`)
  } finally {
    stop.end()
  }
}

export async function ls(
  name: string | undefined,
  options: SharedOptions & { account?: string; state?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const query = name
      ? {}
      : { account: options.account ?? (await accountName(client)), state: options.state }
    const path = name ? `/rucio/dids/${didPath(parseDid(name))}/rules` : '/rucio/rules/'
    const rules = await collect(client.lines<Rule>('GET', path, { query }))
    show(options, rules, () =>
      table(rules, [
        { title: 'RULE', value: (rule) => rule.id },
        { title: 'STATE', value: (rule) => rule.state },
        { title: 'COPIES THERE', right: true, value: (rule) => `${rule.locks_ok_cnt}/${locks(rule)}` },
        { title: 'STORAGES', value: (rule) => `${rule.copies} × ${rule.rse_expression}` },
        { title: 'ACCOUNT', value: (rule) => rule.account },
        { title: 'NAME', value: (rule) => `${rule.scope}:${rule.name}` },
      ]),
    )
  })
}

export async function showRule(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const rule = await client.json<Rule>('GET', rulePath(id))
    show(options, rule, () =>
      [
        `${rule.scope}:${rule.name}`,
        `${rule.copies} × ${rule.rse_expression}, for ${rule.account}${rule.expires_at ? `, until ${rule.expires_at}` : ''}`,
        `${rule.state}: ${rule.locks_ok_cnt} there, ${rule.locks_replicating_cnt} on the way, ${rule.locks_stuck_cnt} stuck`,
        ...(rule.error ? [rule.error] : []),
      ].join('\n'),
    )
  })
}

export async function explain(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<Record<string, unknown>>(
      'GET',
      `/kumi/v1/rules/${encodeURIComponent(id)}/explain`,
    )
    show(options, answer, () => outline(answer))
  })
}

/** Any answer as indented lines: an explanation may hold more than this program knows of. */
export function outline(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value.map((item) => `${indent}- ${outline(item, `${indent}  `).trimStart()}`).join('\n')
  if (typeof value !== 'object' || value === null) return `${indent}${value}`
  return Object.entries(value)
    .filter(([, inner]) => inner !== null && !(Array.isArray(inner) && inner.length === 0))
    .map(([key, inner]) =>
      typeof inner === 'object'
        ? `${indent}${key}:\n${outline(inner, `${indent}  `)}`
        : `${indent}${key}: ${inner}`,
    )
    .join('\n')
}

interface UpdateOptions extends SharedOptions {
  readonly lifetime?: string
  readonly priority?: string
  readonly comment?: string
  readonly lock?: boolean
  readonly unlock?: boolean
  readonly boost?: boolean
}

export async function update(id: string, options: UpdateOptions): Promise<void> {
  const lifetime =
    options.lifetime === 'none' ? null : options.lifetime && above0('--lifetime', options.lifetime)
  const changes = {
    ...(options.lifetime !== undefined && { lifetime }),
    ...(options.priority !== undefined && { priority: above0('--priority', options.priority) }),
    ...(options.comment !== undefined && { comment: options.comment }),
    ...(options.lock && { locked: true }),
    ...(options.unlock && { locked: false }),
    ...(options.boost && { boost_rule: true }),
  }
  if (Object.keys(changes).length === 0)
    throw badOption('Nothing to change was given.', { hint: 'See: kumi rule update --help' })
  await withClient(options, async (client) => {
    await client.json('PUT', rulePath(id), { json: { options: changes } })
    show(options, { id, ...changes }, () => `Rule ${id} is changed.`)
  })
}

export async function remove(id: string, options: SharedOptions & { purge?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    await client.json('DELETE', rulePath(id), { json: { purge_replicas: options.purge ?? null } })
    show(options, { id, removed: true }, () => `Rule ${id} ends.`)
  })
}

function locks(rule: Rule): number {
  return rule.locks_ok_cnt + rule.locks_replicating_cnt + rule.locks_stuck_cnt
}

function above0(option: string, text: string): number {
  const value = whole(option, text)
  if (value > 0) return value
  throw badOption(`${option} needs a whole number above 0, not "${text}".`)
}

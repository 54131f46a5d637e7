import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'

const broken = defineError('conflict', 'audit_broken')

interface Entry {
  readonly seq: number
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly target: string
  readonly detail: unknown
}

interface ListOptions extends SharedOptions {
  readonly actor?: string
  readonly target?: string
  readonly action?: string
  readonly since?: string
  readonly until?: string
  readonly limit: string
}

const AT_ONCE = 1000

export async function ls(options: ListOptions): Promise<void> {
  const wanted = Number(options.limit)
  if (!Number.isInteger(wanted) || wanted < 1)
    throw badOption(`--limit needs a whole number, got "${options.limit}".`)
  const { actor, target, action } = options
  const query = {
    actor,
    target,
    action,
    since: time('--since', options.since),
    until: time('--until', options.until),
  }
  await withClient(options, async (client) => {
    const entries: Entry[] = []
    while (entries.length < wanted) {
      const page = {
        ...query,
        before: entries.at(-1)?.seq,
        limit: Math.min(AT_ONCE, wanted - entries.length),
      }
      const answer = await client.json<{ entries: Entry[] }>('GET', '/kumi/v1/audit', { query: page })
      entries.push(...answer.entries)
      if (answer.entries.length < page.limit) break
    }
    show(options, entries, () =>
      table(entries, [
        { title: 'NUMBER', right: true, value: (entry) => entry.seq },
        { title: 'AT', value: (entry) => entry.at },
        { title: 'WHO', value: (entry) => entry.actor },
        { title: 'WHAT', value: (entry) => entry.action },
        { title: 'TO', value: (entry) => entry.target },
        { title: 'DETAIL', value: (entry) => JSON.stringify(entry.detail) },
      ]),
    )
  })
}

export async function verify(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const verdict = await client.json<{ entries: number; head: string; brokenAt: number | null }>(
      'GET',
      '/kumi/v1/audit/verify',
    )
    if (verdict.brokenAt !== null) {
      if (options.json) process.stdout.write(`${JSON.stringify(verdict)}\n`)
      throw broken(`Entry ${verdict.brokenAt} of the audit log is not what it was.`)
    }
    show(
      options,
      verdict,
      () => `${verdict.entries} entries are as they were written. The last has ${verdict.head}`,
    )
  })
}

function time(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const date = new Date(text)
  if (!Number.isNaN(date.getTime())) return date.toISOString()
  throw badOption(`${option} needs a date such as 2026-11-01, got "${text}".`)
}

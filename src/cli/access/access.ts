import { existsSync, readFileSync } from 'node:fs'
import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { readTokenFile } from '../client/token.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { outline } from '../rule/rules.ts'
import { table } from '../terminal.ts'

interface Rule {
  readonly id: number
  readonly subjectKind: string
  readonly subject: string
  readonly action: string
  readonly resource: string
  readonly effect: string
  readonly comment: string
}

interface Explained {
  readonly who: { readonly account: string | null; readonly subject: string }
  readonly action: string
  readonly path?: string
  readonly allow: boolean
  readonly reason: string
}

interface Matrix {
  readonly actions: readonly { readonly name: string; readonly meaning: string }[]
  readonly rows: readonly {
    readonly subjectKind: string
    readonly subject: string
    readonly cells: string[]
  }[]
}

const noCertificate = defineError('invalid', 'no_certificate')

const BASE = '/kumi/v1/access'

export interface ExplainOptions extends SharedOptions {
  readonly path?: string
  readonly url?: string
  readonly owner?: string
  readonly account?: string
  readonly tokenFile?: string
  readonly certificate?: string
}

export async function explain(action: string, options: ExplainOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { path, url, owner, account, tokenFile } = options
    const token = tokenFile && tokenIn(tokenFile)
    const certificate = options.certificate && certificateIn(options.certificate)
    const question = { action, path, url, owner, account, token, certificate }
    const answer = await client.json<Explained>('POST', `${BASE}/explain`, { json: question })
    show(options, answer, () => {
      const { who, allow, reason } = answer
      const what = [answer.action, answer.path && `at ${answer.path}`].filter(Boolean).join(' ')
      return `${who.account ?? who.subject} ${allow ? 'may' : 'may not'} ${what}: ${reason}\n${outline(answer, '  ')}`
    })
  })
}

function tokenIn(file: string): string | undefined {
  return file === '-' ? readFileSync(0, 'utf8').trim() : readTokenFile(file)?.token
}

/** A name as it is; of a file only the certificates, because a proxy file holds a key, too. */
function certificateIn(text: string): string {
  if (!existsSync(text)) return text
  const blocks = readFileSync(text, 'utf8').match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  )
  if (!blocks) throw noCertificate(`${text} holds no certificate.`)
  return blocks.join('\n')
}

export async function ls(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { rules } = await client.json<{ rules: Rule[] }>('GET', `${BASE}/rules`)
    show(options, rules, () =>
      table(rules, [
        { title: 'ID', right: true, value: (rule) => String(rule.id) },
        { title: 'EFFECT', value: (rule) => rule.effect },
        { title: 'WHO', value: subjectText },
        { title: 'ACTION', value: (rule) => rule.action },
        { title: 'ON', value: (rule) => rule.resource },
        { title: 'COMMENT', value: (rule) => rule.comment },
      ]),
    )
  })
}

export async function addRule(
  effect: 'allow' | 'deny',
  subject: string,
  action: string,
  options: SharedOptions & { readonly on: string; readonly comment: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const rule = { effect, ...subjectOf(subject), action, resource: options.on, comment: options.comment }
    const made = await client.json<Rule>('POST', `${BASE}/rules`, { json: rule })
    show(
      options,
      made,
      () => `Rule ${made.id}: ${effect} ${subjectText(made)} ${made.action} on ${made.resource}`,
    )
  })
}

export async function remove(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<unknown>('DELETE', `${BASE}/rules/${encodeURIComponent(id)}`)
    show(options, answer, () => `Rule ${id} is removed.`)
  })
}

export async function actions(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const { actions: list } = await client.json<Matrix>('GET', `${BASE}/matrix`)
    show(options, list, () =>
      table(list, [
        { title: 'ACTION', value: (action) => action.name },
        { title: 'MEANING', value: (action) => action.meaning },
      ]),
    )
  })
}

export async function matrix(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<Matrix>('GET', `${BASE}/matrix`)
    show(options, answer, () =>
      table(
        answer.actions.map(({ name }, i) => ({ name, i })),
        [
          { title: 'ACTION', value: ({ name }) => name },
          ...answer.rows.map((row) => ({
            title: subjectText(row),
            value: ({ i }: { i: number }) => row.cells[i],
          })),
        ],
      ),
    )
  })
}

function subjectOf(text: string): { subjectKind: string; subject: string } {
  if (text === 'everyone') return { subjectKind: 'everyone', subject: '' }
  if (text.startsWith('/')) return { subjectKind: 'group', subject: text }
  if (text.startsWith('attribute:'))
    return { subjectKind: 'attribute', subject: text.slice('attribute:'.length) }
  return { subjectKind: 'account', subject: text }
}

function subjectText({ subjectKind, subject }: { subjectKind: string; subject: string }): string {
  if (subjectKind === 'everyone') return 'everyone'
  return subjectKind === 'attribute' ? `attribute:${subject}` : subject
}

import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { outline } from '../rule/rules.ts'
import { table } from '../terminal.ts'

interface Plan {
  readonly steps: readonly { readonly username: string; readonly step: string; readonly endTime: string }[]
  readonly held: readonly { readonly step: string; readonly due: number; readonly limit: number }[]
}

interface SettingsOptions extends SharedOptions {
  readonly open?: boolean
  readonly closed?: boolean
  readonly confirmEmail?: string
  readonly defaultGroup?: readonly string[]
  readonly notice?: string
  readonly removal?: string
}

interface Mail {
  readonly recipient: string
  readonly subject: string
  readonly body: string
  readonly createdAt: string
  readonly sentAt: string | null
  readonly problem: string
  readonly givenUpAt: string | null
}

export async function endings(options: SharedOptions & { run?: boolean; force?: boolean }): Promise<void> {
  if (options.force && !options.run) throw badOption('--force goes with --run.')
  await withClient(options, async (client) => {
    const path = '/kumi/v1/membership/endings'
    const plan = options.run
      ? await client.json<Plan>('POST', path, { json: { force: options.force === true } })
      : await client.json<Plan>('GET', path)
    show(options, plan, () =>
      [
        table(plan.steps, [
          { title: 'NAME', value: (one) => one.username },
          { title: options.run ? 'DONE' : 'DUE', value: (one) => one.step },
          { title: 'MEMBERSHIP ENDED', value: (one) => one.endTime },
        ]) || 'Nothing is due.',
        ...plan.held.map(
          ({ step, due, limit }) =>
            `Held: ${step} for ${due} people at once (${limit} a day are usual). Look at them; then: kumi people endings --run --force`,
        ),
      ].join('\n'),
    )
  })
}

export async function settings(options: SettingsOptions): Promise<void> {
  if (options.open && options.closed) throw badOption('Say --open or --closed, not both.')
  const change = {
    ...(options.open && { registrationOpen: true }),
    ...(options.closed && { registrationOpen: false }),
    ...(options.confirmEmail && { confirmEmail: yes('--confirm-email', options.confirmEmail) }),
    ...(options.defaultGroup && { defaultGroups: options.defaultGroup }),
    ...(options.notice && { suspensionGraceDays: days('--notice', options.notice) }),
    ...(options.removal && { removalGraceDays: days('--removal', options.removal) }),
  }
  await withClient(options, async (client) => {
    const path = '/kumi/v1/membership/settings'
    const found = Object.keys(change).length
      ? await client.json<Record<string, unknown>>('PUT', path, { json: change })
      : await client.json<Record<string, unknown>>('GET', path)
    show(options, found, () => outline(found))
  })
}

export async function mails(options: SharedOptions & { limit: string }): Promise<void> {
  await withClient(options, async (client) => {
    const { mails: list } = await client.json<{ mails: Mail[] }>('GET', '/kumi/v1/membership/mails', {
      query: { limit: days('--limit', options.limit) },
    })
    show(options, list, () =>
      list
        .map(({ recipient, subject, body, createdAt, ...state }) =>
          [`${createdAt}  to ${recipient}  ${stateOf(state)}`, subject, body, ''].join('\n'),
        )
        .join('\n'),
    )
  })
}

function stateOf({ sentAt, problem, givenUpAt }: Pick<Mail, 'sentAt' | 'problem' | 'givenUpAt'>): string {
  if (sentAt) return `sent ${sentAt}`
  if (givenUpAt) return `given up ${givenUpAt}: ${problem}`
  return problem ? `not sent yet: ${problem}` : 'not sent'
}

function days(option: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw badOption(`${option} needs a whole number, got "${text}".`)
}

function yes(option: string, text: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes'
  throw badOption(`${option} is yes or no, got "${text}".`)
}

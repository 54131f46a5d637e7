import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'

interface OrderOptions extends SharedOptions {
  readonly why?: string
}

const path = (name: string, what: string) => `/kumi/v1/productions/${encodeURIComponent(name)}/${what}`

export async function validate(name: string, options: OrderOptions & { reject?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const accept = !options.reject
    const json = { accept, ...(options.why && { reason: options.why }) }
    await client.json('POST', path(name, 'validation'), { json })
    show(options, { name, accept }, () =>
      accept ? `${name} may run: kumi prod start ${name}` : `${name} may not run.`,
    )
  })
}

const DONE = {
  start: 'is at work',
  hold: 'is held',
  retry: 'tries again',
  finish: 'takes no new inputs',
  cancel: 'is cancelled',
}

export async function order(
  name: keyof typeof DONE,
  production: string,
  options: OrderOptions,
): Promise<void> {
  await withClient(options, async (client) => {
    const json = { order: name, ...(options.why && { reason: options.why }) }
    const answer = await client.json<{ tasks: number }>('POST', path(production, 'orders'), { json })
    const tasks = answer.tasks > 0 ? ` (${answer.tasks} tasks)` : ''
    show(options, { name: production, order: name, ...answer }, () => `${production} ${DONE[name]}${tasks}.`)
  })
}

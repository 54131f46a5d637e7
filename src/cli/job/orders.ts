import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { jobIds } from './ids.ts'

interface Ordered {
  readonly changed: readonly number[]
  readonly refused: readonly { readonly id: number; readonly message: string }[]
}

const DONE = { kill: 'killed', rerun: 'waiting again', hold: 'held', release: 'released', delete: 'deleted' }

export async function order(
  name: keyof typeof DONE,
  texts: readonly string[],
  options: SharedOptions,
): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<Ordered>('POST', '/kumi/v1/jobs/orders', {
      json: { order: name, jobs: jobIds(texts) },
    })
    const { changed, refused } = answer
    show(
      options,
      answer,
      () => `${changed.length} ${changed.length === 1 ? 'job is' : 'jobs are'} ${DONE[name]}.`,
    )
    if (refused.length > 0) throw partial(refused.map(({ message }) => message).join('\n'))
  })
}

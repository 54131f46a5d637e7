import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'

interface SigningKeys {
  readonly keys: readonly {
    readonly kid: string
    readonly alg: string
    readonly signsFrom: string
    readonly signsNow: boolean
  }[]
  readonly next: string
}

const URL = '/kumi/v1/signing-keys'

export async function keys(options: SharedOptions & { readonly algorithm?: string }): Promise<void> {
  await withClient(options, async (client) => {
    const { algorithm: alg } = options
    const answer = alg
      ? await client.json<SigningKeys>('PUT', URL, { json: { alg } })
      : await client.json<SigningKeys>('GET', URL)
    show(options, answer, () =>
      table(answer.keys, [
        { title: 'KEY', value: ({ kid }) => kid },
        { title: 'ALGORITHM', value: (key) => key.alg },
        { title: 'SIGNS FROM', value: ({ signsFrom }) => signsFrom },
        { title: 'NOW', value: ({ signsNow }) => (signsNow ? 'signs' : '') },
      ]),
    )
  })
}

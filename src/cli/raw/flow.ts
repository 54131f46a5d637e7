import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show, whole } from '../common-options.ts'
import { bytesText, table } from '../terminal.ts'

interface Flow {
  readonly name: string
  readonly scope: string
  readonly landing: string
  readonly archive: string
  readonly centres: readonly { readonly storages: string; readonly share: number; readonly bytes: number }[]
  readonly states: readonly { readonly state: string; readonly files: number; readonly bytes: number }[]
  readonly latency: Readonly<Record<string, number | null>> | null
}

interface FlowOptions extends SharedOptions {
  readonly scope?: string
  readonly landing?: string
  readonly archive?: string
  readonly centre?: string[]
}

export async function flow(name: string | undefined, options: FlowOptions): Promise<void> {
  const { scope, landing, archive, centre } = options
  await withClient(options, async (client) => {
    if (name && (scope || landing || archive || centre)) {
      if (!scope || !landing || !archive || !centre)
        throw badOption('A flow needs --scope, --landing, --archive and at least one --centre.')
      const json = { scope, landing, archive, centres: centre.map(centreOf) }
      await client.json('PUT', `/kumi/v1/raw/flows/${encodeURIComponent(name)}`, { json })
      return show(options, { name, ...json }, () => `Raw data of ${scope} takes the flow ${name}.`)
    }
    const { flows } = await client.json<{ flows: Flow[] }>('GET', '/kumi/v1/raw/flows')
    const shown = name ? flows.filter((each) => each.name === name) : flows
    show(options, { flows: shown }, () => shown.map(wordsOf).join('\n\n'))
  })
}

function centreOf(text: string): { storages: string; share: number } {
  const at = text.lastIndexOf('=')
  if (at < 1) throw badOption(`"${text}": write --centre "EXPRESSION=SHARE", such as BNL-TAPE=3.`)
  return { storages: text.slice(0, at), share: whole('A share', text.slice(at + 1)) }
}

const wordsOf = ({ name, scope, landing, archive, centres, states, latency }: Flow): string =>
  [
    `${name}: ${scope} lands at ${landing}, archive ${archive}`,
    ...centres.map(
      ({ storages, share, bytes }) => `  second copies ${storages}, share ${share}: ${bytesText(bytes)}`,
    ),
    table(states, [
      { title: 'STATE', value: ({ state }) => state },
      { title: 'FILES', right: true, value: ({ files }) => files },
      { title: 'SIZE', right: true, value: ({ bytes }) => bytesText(bytes) },
    ]),
    ...(latency
      ? [
          `p95 of the last day, from recording: ${Object.entries(latency)
            .flatMap(([state, seconds]) =>
              state === 'files' || seconds === null ? [] : [`${state} ${Math.round(seconds)} s`],
            )
            .join(', ')}`,
        ]
      : []),
  ].join('\n')

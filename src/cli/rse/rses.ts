import { withClient } from '../client/http.ts'
import { collect, listRses, type Rse, rseSettings } from '../client/rucio.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { outline } from '../rule/rules.ts'
import { bytesText, table } from '../terminal.ts'

interface ListedRse extends Rse {
  readonly rse_type?: string
  readonly country_name?: string
  readonly availability_read?: boolean
  readonly availability_delete?: boolean
}
interface Usage {
  readonly source: string
  readonly used: number
  readonly free: number | null
  readonly files: number | null
}

export async function ls(expression: string | undefined, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const rses: ListedRse[] = await listRses(client, expression)
    const may = (rse: ListedRse) =>
      [
        rse.availability_read !== false && 'read',
        rse.availability_write !== false && 'write',
        rse.availability_delete !== false && 'delete',
      ]
        .filter(Boolean)
        .join(' ')
    show(options, rses, () =>
      table(rses, [
        { title: 'STORAGE', value: (rse) => rse.rse },
        ...(expression
          ? []
          : [
              { title: 'TYPE', value: (rse: ListedRse) => rse.rse_type },
              { title: 'COUNTRY', value: (rse: ListedRse) => rse.country_name },
              { title: 'OPEN FOR', value: may },
            ]),
      ]),
    )
  })
}

export async function showRse(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/rucio/rses/${encodeURIComponent(name)}`
    const settings = await rseSettings(client, name)
    const attributes = await client.json<Record<string, unknown>>('GET', `${path}/attr/`)
    const usage = await collect(client.lines<Usage>('GET', `${path}/usage`))
    show(options, { ...settings, attributes, usage }, () =>
      [
        name,
        ...(settings.protocols ?? []).map((p) => `  ${p.scheme}://${p.hostname}:${p.port}${p.prefix}`),
        outline(attributes, '  '),
        table(usage, [
          { title: 'SAID BY', value: (row) => row.source },
          { title: 'USED', right: true, value: (row) => bytesText(row.used) },
          { title: 'FREE', right: true, value: (row) => bytesText(row.free) },
          { title: 'FILES', right: true, value: (row) => row.files },
        ]),
      ]
        .filter(Boolean)
        .join('\n'),
    )
  })
}

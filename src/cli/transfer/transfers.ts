import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { outline } from '../rule/rules.ts'
import { bytesText, table } from '../terminal.ts'

type Fields = Readonly<Record<string, unknown>>

export async function ls(options: SharedOptions & { state?: string; limit: string }): Promise<void> {
  await withClient(options, async (client) => {
    const query = { state: options.state, limit: options.limit }
    const rows = rowsOf(await client.json<unknown>('GET', '/kumi/v1/transfers', { query }), 'transfers')
    show(options, rows, () => anyTable(rows))
  })
}

export async function showTransfer(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const transfer = await client.json<unknown>('GET', `/kumi/v1/transfers/${encodeURIComponent(id)}`)
    show(options, transfer, () => outline(transfer))
  })
}

export async function matrix(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<unknown>('GET', '/kumi/v1/transfers/matrix')
    const rows = rowsOf(answer, 'links', 'matrix', 'cells')
    show(options, answer, () => anyTable(rows))
  })
}

/** The rows of an answer that is a list itself or holds one under a name. */
function rowsOf(answer: unknown, ...names: readonly string[]): Fields[] {
  if (Array.isArray(answer)) return answer as Fields[]
  const fields = (answer ?? {}) as Fields
  return (names.map((name) => fields[name]).find(Array.isArray) ?? []) as Fields[]
}

/** A table with a column for each plain field of the rows. */
function anyTable(rows: readonly Fields[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => row[name] !== null && typeof row[name] !== 'object'),
  )
  return table(
    rows,
    names.map((name) => ({
      title: name
        .replace(/([a-z])([A-Z])/g, '$1 $2')
        .replaceAll('_', ' ')
        .toUpperCase(),
      right: rows.some((row) => typeof row[name] === 'number'),
      value: (row) => cell(name, row[name]),
    })),
  )
}

function cell(name: string, value: unknown): string {
  if (value === null || value === undefined || typeof value === 'object') return '-'
  return /bytes/i.test(name) && Number.isFinite(Number(value)) ? bytesText(Number(value)) : String(value)
}

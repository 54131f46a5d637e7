import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'

/** Statements that each connection prepares at their first use, by their texts. */
const names = new Map<string, string>()

/** From now on this text is sent and parsed once per connection. */
export function prepare(text: string): void {
  if (!names.has(text)) names.set(text, `kumi-${names.size + 1}`)
}

/**
 * A pool that prepares the statements it is told to, and writes lists as array literals by itself. Set-based statements
 * carry thousands of ids and names, and the driver's own way, made for nested lists of anything, costs several times as
 * much for each element. What fails is thrown as `explained`.
 */
export function quickPool(pool: pg.Pool, explained: (error: unknown) => unknown): PostgresPool {
  const explain = (error: unknown): never => {
    throw explained(error)
  }
  const known = new WeakMap<pg.PoolClient, PostgresPoolClient>()
  return {
    async connect() {
      const client = await pool.connect().catch(explain)
      const wrapped = known.get(client) ?? quickClient(client, explain)
      known.set(client, wrapped)
      return wrapped
    },
    end: () => pool.end(),
  }
}

function quickClient(client: pg.PoolClient, explain: (error: unknown) => never): PostgresPoolClient {
  const query = (text: string, values: readonly unknown[]) =>
    client
      .query({
        ...{ text, name: names.get(text) },
        values: values.map((value) => (Array.isArray(value) ? arrayLiteral(value) : value)),
      })
      .catch(explain)
  // The other form of a query, with a cursor object, is asked for only where a dialect has cursors; ours has none.
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release() }
}

/** A flat list of numbers, texts, times, booleans and nulls as PostgreSQL reads it; any other list as it is. */
export function arrayLiteral(values: readonly unknown[]): unknown {
  let text = ''
  for (const value of values) {
    text += text === '' ? '{' : ','
    if (typeof value === 'string') text += quoted(value)
    else if (value === null || value === undefined) text += 'NULL'
    else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
      text += value
    else if (value instanceof Date) text += `"${value.toISOString()}"`
    else return values
  }
  return text === '' ? '{}' : `${text}}`
}

const quoted = (value: string): string => `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`

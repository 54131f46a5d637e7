import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'

interface Defined {
  readonly name: string
  readonly steps: number
  readonly cells: number
  readonly events: number
}

export async function define(
  file: string,
  options: SharedOptions & { check?: boolean; group?: string },
): Promise<void> {
  const definition = await readFile(file, 'utf8')
  await withClient(options, async (client) => {
    const named = await client.json<{ files: string[] }>('POST', '/kumi/v1/productions-files', {
      json: { definition },
    })
    const files = await filesBeside(file, named.files)
    const made = await client.json<Defined>('POST', '/kumi/v1/productions', {
      json: {
        definition,
        files,
        check: options.check ?? false,
        ...(options.group && { group: options.group }),
      },
    })
    const size = `${made.steps} ${made.steps === 1 ? 'step' : 'steps'}, ${made.cells} cells, ${made.events} events`
    show(options, made, () =>
      options.check
        ? `${made.name} is in order: ${size}.`
        : `${made.name}: ${size}. It starts when it is validated: kumi prod validate ${made.name}`,
    )
  })
}

const MOST_BYTES = 2 << 20

/** Those of the named files that lie beside the definition; the server says which of them it misses. */
async function filesBeside(file: string, names: readonly string[]) {
  const found: { name: string; executable: boolean; content: string }[] = []
  for (const name of names) {
    const path = join(dirname(file), name)
    const facts = await stat(path).catch(() => undefined)
    if (!facts?.isFile() || facts.size > MOST_BYTES) continue
    const content = await readFile(path)
    const executable = (facts.mode & 0o111) !== 0 || content.subarray(0, 2).toString() === '#!'
    found.push({ name, executable, content: content.toString('base64') })
  }
  return found
}

export async function extend(name: string, file: string, options: SharedOptions): Promise<void> {
  const cells = await readFile(file, 'utf8')
  await withClient(options, async (client: GridClient) => {
    const path = `/kumi/v1/productions/${encodeURIComponent(name)}/extension`
    const answer = await client.json<{ changed: number }>('POST', path, { json: { cells } })
    show(options, answer, () =>
      answer.changed === 0 ? 'Nothing is new.' : `${answer.changed} cells are new or have more events.`,
    )
  })
}

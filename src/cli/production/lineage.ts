import { type GridClient, withClient } from '../client/http.ts'
import { type Did, didPath, didText, parseDid } from '../client/names.ts'
import { type SharedOptions, show } from '../common-options.ts'

interface Making {
  readonly file: Did
  /** false: an intermediate that was given up. */
  readonly kept: boolean
  readonly madeBy: {
    readonly job: number
    readonly owner: string
    readonly attempt: number
    readonly site: string
    readonly endedAt: string | null
    readonly executable: string
    readonly arguments: readonly string[]
    readonly software: { readonly release: string; readonly root: string } | null
    readonly inputs: readonly Did[]
  } | null
  readonly production: {
    readonly name: string
    readonly step: string
    readonly task: number
    readonly seed: number | null
    readonly experiment: number | null
    readonly run: number | null
    readonly events: number | null
    readonly release: string
    readonly conditions: string
  } | null
}

interface Ancestry extends Making {
  readonly inputs: readonly Ancestry[]
  /** Inputs that are not followed. */
  readonly more: number
}

/** Of many inputs the first ones stand for the others; a deep lineage ends after as many files as a person may read. */
const INPUTS_FOLLOWED = 20
const FILES_ASKED = 400

export async function lineage(text: string, options: SharedOptions & { depth: string }): Promise<void> {
  const depth = Math.min(20, Math.max(1, Number.parseInt(options.depth, 10) || 1))
  await withClient(options, async (client) => {
    const found = await ancestryOf(client, parseDid(text), { depth, left: { files: FILES_ASKED } })
    show(options, found, () => linesOf(found, '').join('\n'))
  })
}

async function ancestryOf(
  client: GridClient,
  did: Did,
  { depth, left }: { readonly depth: number; readonly left: { files: number } },
): Promise<Ancestry> {
  left.files -= 1
  const making = await client.json<Making>('GET', `/kumi/v1/files/${didPath(did)}/lineage`)
  const inputs = making.madeBy?.inputs ?? []
  const above: Ancestry[] = []
  if (depth > 1)
    for (const input of inputs.slice(0, INPUTS_FOLLOWED)) {
      if (left.files === 0) break
      above.push(await ancestryOf(client, input, { depth: depth - 1, left }))
    }
  return { ...making, inputs: above, more: inputs.length - above.length }
}

function linesOf({ file, kept, madeBy, production, inputs, more }: Ancestry, indent: string): string[] {
  const below = `${indent}  `
  const of = (name: string, value: number | null) => (value === null ? '' : `, ${name} ${value}`)
  return [
    `${indent}${didText(file)}${kept ? '' : ' (given up)'}`,
    ...(madeBy
      ? [
          `${below}made by start ${madeBy.attempt} of job ${madeBy.job} of ${madeBy.owner} at ${madeBy.site}, ${madeBy.endedAt?.slice(0, 19).replace('T', ' ') ?? '-'}`,
          `${below}runs ${[madeBy.executable, ...madeBy.arguments].join(' ')}`,
          ...(madeBy.software
            ? [`${below}software ${madeBy.software.release}, root hash ${madeBy.software.root}`]
            : []),
        ]
      : [`${below}no job of this grid made it`]),
    ...(production
      ? [
          `${below}for ${production.name}, step ${production.step}, task ${production.task}${of('experiment', production.experiment)}${of('run', production.run)}${of('seed', production.seed)}${of('events', production.events)}`,
          `${below}release ${production.release}, conditions ${production.conditions}`,
        ]
      : []),
    ...inputs.flatMap((input) => linesOf(input, below)),
    ...(more > 0 ? [`${below}and ${more} more inputs`] : []),
  ]
}

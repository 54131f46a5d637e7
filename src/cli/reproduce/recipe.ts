import type { Did } from '../client/names.ts'
import { didText } from '../client/names.ts'

export interface FileFacts extends Did {
  readonly kept: boolean
  readonly bytes: number | null
  readonly adler32: string | null
  readonly md5: string | null
}

export interface Recipe {
  readonly file: FileFacts
  readonly job: number
  readonly attempt: number
  readonly site: string
  readonly number: number
  readonly executable: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly files: readonly { readonly name: string; readonly executable: boolean; readonly content: string }[]
  readonly software: { readonly release: string; readonly repository: string; readonly root: string } | null
  readonly sandboxes: number
  readonly inputs: readonly FileFacts[]
  readonly outputs: readonly string[]
  readonly production: {
    readonly name: string
    readonly step: string
    readonly seed: number | null
    readonly experiment: number | null
    readonly run: number | null
    readonly events: number | null
    readonly release: string
    readonly conditions: string
  } | null
}

const sumsOf = ({ bytes, adler32, md5 }: FileFacts): string =>
  bytes === null ? 'no longer known' : `${bytes} bytes, adler32 ${adler32 ?? '-'}, md5 ${md5 ?? '-'}`

/** A recipe as people read it. */
export function recipeText(recipe: Recipe): string {
  const { file, software, production, inputs, files, environment } = recipe
  const of = (name: string, value: number | null | undefined) => (value == null ? '' : `, ${name} ${value}`)
  return [
    didText(file),
    `  is          ${sumsOf(file)}`,
    `  made by     start ${recipe.attempt} of job ${recipe.job} at ${recipe.site}`,
    ...(production
      ? [
          `  for         ${production.name}, step ${production.step}${of('experiment', production.experiment)}${of('run', production.run)}${of('seed', production.seed)}${of('events', production.events)}`,
          `  release     ${production.release}, conditions ${production.conditions}`,
        ]
      : []),
    ...(software ? [`  software    ${software.release}, root hash ${software.root}`] : []),
    `  runs        ${[recipe.executable, ...recipe.arguments].join(' ')}`,
    ...Object.entries(environment).map(([name, value]) => `  with        ${name}=${value}`),
    ...files.map(
      ({ name, content }) => `  beside it   ${name}, ${Buffer.from(content, 'base64').length} bytes`,
    ),
    ...inputs.map(
      (input) => `  reads       ${didText(input)}${input.kept ? '' : ' (given up)'}: ${sumsOf(input)}`,
    ),
    `  writes      ${recipe.outputs.join(', ')}`,
  ].join('\n')
}

import type { Db } from '../kernel/index.ts'
import { jobMissing } from './errors.ts'
import { queuesByIds } from './queue.store.ts'
import { type JobView, jobDetails, jobsByIds } from './read.store.ts'
import { concrete } from './spec.ts'
import type { Demand, JobItem, JobSpec } from './types.ts'

export interface Recipe {
  readonly job: Pick<JobView, 'id' | 'name' | 'owner' | 'attempt' | 'site'>
  readonly demand: Pick<Demand, 'cores'>
  /** With everything filled in that is different for each job. */
  readonly spec: JobSpec
  readonly item: JobItem | null
}

/** What a job runs, with what. Throws job_missing. */
export async function recipeOf(db: Db, vo: string, id: bigint): Promise<Recipe> {
  const [[job], details] = await Promise.all([jobsByIds(db, vo, [id]), jobDetails(db, vo, id)])
  if (!job || !details) throw jobMissing(`There is no job ${id}.`)
  const [queue] = await queuesByIds(db, [details.queueId])
  const { spec, item } = details
  return { job, demand: queue!.demand, spec: concrete(spec, { id, item }), item }
}

const END = 'KUMI_END'
const LINE = 76

/**
 * A script for `sh` that does on any machine with the command line what a pilot does for the job: its files, its
 * inputs, its environment, its command. It needs somebody who is logged in and may read the inputs; outputs stay where
 * they are made.
 */
export function scriptOf({ job, demand, spec, item }: Recipe): string {
  const { executable, environment, files, inputSandboxes, software } = spec
  const inputs = item?.inputs ?? []
  const release = software && `${software.repository}@${software.root}`
  const variables = {
    ...environment,
    ...{ JOBID: String(job.id), KUMI_JOB_ID: String(job.id), KUMI_ATTEMPT: String(job.attempt) },
    ...{ KUMI_JOB_NUMBER: String(item?.n ?? 0), KUMI_CORES: String(demand.cores) },
    ...{ KUMI_INPUT_LIST: 'kumi-inputs.txt' },
  }
  const start = job.attempt === 0 ? '' : `start ${job.attempt}${job.site === null ? '' : ` at ${job.site}`}, `
  return [
    '#!/bin/sh',
    comment(`Job ${job.id} "${job.name}" of ${job.owner}, ${start}to be run here.`),
    comment(
      'It needs kumi, logged in as somebody who may read the inputs. What it makes stays in the directory.',
    ),
    'set -eu',
    `mkdir -p job-${job.id}/work`,
    `cd job-${job.id}/work`,
    ...files.flatMap(fileLines),
    ...inputLines(inputs),
    ...(inputSandboxes.length > 0 ? [`kumi job sandbox ${job.id} --input --to .`] : []),
    `program=${word(executable)}`,
    // As with a pilot: what came along goes before what the machine has under the name.
    'if [ -f "./$program" ]; then chmod +x "./$program"; program="./$program"; fi',
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${word(value)}`),
    `[ -n "\${KUMI_NODE:-}" ] || export KUMI_NODE="$(command -v node)"`,
    [
      'exec',
      ...(release ? ['kumi software run', word(release), '--'] : []),
      '"$program"',
      ...spec.arguments.map(word),
    ].join(' '),
    '',
  ].join('\n')
}

const comment = (text: string): string => `# ${text.replaceAll(/\s+/g, ' ')}`

/** One word for `sh`, whatever is in it. */
const word = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

function fileLines({ name, executable, content }: JobSpec['files'][number]): string[] {
  const at = name.lastIndexOf('/')
  return [
    ...(at > 0 ? [`mkdir -p ${word(name.slice(0, at))}`] : []),
    `base64 -d > ${word(name)} <<'${END}'`,
    ...(content.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []),
    END,
    ...(executable ? [`chmod +x ${word(name)}`] : []),
  ]
}

/** Fetches inputs scope by scope, and gives them the names that a job finds. */
function inputLines(inputs: JobItem['inputs']): string[] {
  if (inputs.length === 0) return []
  const names = new Set<string>()
  for (const { name } of inputs) names.add(freeName(name.split('/').at(-1)!, names))
  const lines = [...names].map((name, i) => `${inputs[i]!.scope}/${inputs[i]!.name}\t${name}`)
  const scopes = [...new Set(inputs.map(({ scope }) => scope))]
  return [
    ...scopes.flatMap((scope) => [
      `xargs -d '\\n' -n 50 kumi data get --dir ../inputs/${word(scope)} <<'${END}'`,
      ...inputs.filter((did) => did.scope === scope).map((did) => `${did.scope}:${did.name}`),
      END,
    ]),
    `tab=$(printf '\\t')`,
    `while IFS="$tab" read -r from to; do ln -sf -- "../inputs/$from" "$to"; echo "$to"; done > kumi-inputs.txt <<'${END}'`,
    ...lines,
    END,
  ]
}

/** Two inputs of the same name get numbers, as with a pilot. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name
  for (let n = 2; ; n++) if (!taken.has(`${n}_${name}`)) return `${n}_${name}`
}

import { filled } from './jdl.ts'
import type { JobItem, JobSpec } from './types.ts'

/** The spec of one job: what is different for each is filled in, so that a pilot need know nothing of parameters. */
export function concrete(
  spec: JobSpec,
  job: { readonly id: bigint; readonly item: JobItem | null },
): JobSpec {
  const item = job.item ?? { n: 0, parameters: {} }
  const fill = (text: string) => filled(text, item, job.id)
  return {
    ...spec,
    executable: fill(spec.executable),
    arguments: spec.arguments.map(fill),
    environment: Object.fromEntries(
      Object.entries(spec.environment).map(([key, value]) => [key, fill(value)]),
    ),
    outputSandbox: spec.outputSandbox.map(fill),
    standardOutput: fill(spec.standardOutput),
    standardError: fill(spec.standardError),
    outputs: spec.outputs.map((output) => ({ ...output, pattern: fill(output.pattern) })),
    jdl: null,
  }
}

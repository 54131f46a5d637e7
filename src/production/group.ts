import { splitInputs } from '../workload/index.ts'
import type { FreeInput } from './input.store.ts'
import type { Step } from './types.ts'

export interface PlacedInput extends FreeInput {
  /** Sites with a good copy on disk. */
  readonly sites: readonly string[]
}

/**
 * Free inputs in groups, one for each task to be made. Event types are never mixed, nor runs by `by_run`; files of the
 * same sites go together, and only those unless the step reads from afar. A group that is not full waits for company until `flush`, or until its oldest file has waited
 * as long as the step allows.
 */
export function groupInputs(
  step: Pick<Step, 'kind' | 'filesPerJob' | 'gigabytesPerJob' | 'readFromAfar' | 'waitSeconds'>,
  inputs: readonly PlacedInput[],
  now: Date,
  flush: boolean,
): PlacedInput[][] {
  const families = new Map<string, PlacedInput[]>()
  for (const input of inputs) {
    const { eventType, experiment, run } = input
    const key = JSON.stringify(step.kind === 'by_run' ? [eventType, experiment, run] : [eventType])
    families.set(key, [...(families.get(key) ?? []), input])
  }
  const late = now.getTime() - step.waitSeconds * 1000
  return [...families.values()].flatMap((family) =>
    (step.kind === 'by_size' ? bySize(family, step.gigabytesPerJob * 1e9) : byCount(family, step))
      .filter(({ full, files }) => full || flush || files.some(({ addedAt }) => addedAt.getTime() <= late))
      .map(({ files }) => files),
  )
}

interface Group {
  readonly full: boolean
  readonly files: PlacedInput[]
}

function byCount(
  family: readonly PlacedInput[],
  { filesPerJob, readFromAfar }: Pick<Step, 'filesPerJob' | 'readFromAfar'>,
): Group[] {
  const byName = new Map(family.map((input) => [`${input.scope}:${input.name}`, input]))
  return splitInputs(family, { perJob: filesPerJob, readFromAfar }).map((names) => ({
    full: names.length === filesPerJob,
    files: names.map(({ scope, name }) => byName.get(`${scope}:${name}`)!),
  }))
}

/** A group is closed by the file that would make it too large; a file that is too large by itself goes alone. */
function bySize(family: readonly PlacedInput[], most: number): Group[] {
  const groups: { full: boolean; files: PlacedInput[] }[] = []
  let open: PlacedInput[] = []
  let bytes = 0
  for (const input of family) {
    if (open.length > 0 && bytes + Number(input.bytes) > most) {
      groups.push({ full: true, files: open })
      open = []
      bytes = 0
    }
    open.push(input)
    bytes += Number(input.bytes)
  }
  if (open.length > 0) groups.push({ full: bytes >= most, files: open })
  return groups
}

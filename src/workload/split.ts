import type { Did } from '../catalog/index.ts'

export interface InputFile extends Did {
  /** Sites with a good copy on disk. */
  readonly sites: readonly string[]
}

/**
 * Inputs in groups of at most `perJob`. Files that lie at the same sites go together first, so that most jobs can run
 * beside all of their inputs; what is left over is joined with others where a common site remains. Where none does it makes
 * a smaller job, or, by jobs that read from afar, is joined with anything. The order within a group is that given.
 */
export function splitInputs(
  files: readonly InputFile[],
  { perJob, readFromAfar }: { readonly perJob: number; readonly readFromAfar: boolean },
): Did[][] {
  const bySites = new Map<string, { sites: readonly string[]; files: InputFile[] }>()
  for (const file of files) {
    const key = [...file.sites].sort().join('\n')
    const group = bySites.get(key) ?? { sites: file.sites, files: [] }
    bySites.set(key, group)
    group.files.push(file)
  }
  const jobs: Did[][] = []
  const rest: { sites: readonly string[]; files: InputFile[] }[] = []
  for (const group of bySites.values()) {
    const whole = Math.floor(group.files.length / perJob) * perJob
    for (let at = 0; at < whole; at += perJob) jobs.push(group.files.slice(at, at + perJob).map(nameOf))
    if (whole < group.files.length) rest.push({ sites: group.sites, files: group.files.slice(whole) })
  }
  // The largest first, so that small remainders fill what is left of them.
  rest.sort((a, b) => b.files.length - a.files.length)
  const open: { sites: readonly string[]; files: InputFile[] }[] = []
  for (const group of rest) {
    const roomy = open.filter((other) => other.files.length + group.files.length <= perJob)
    const fitting =
      roomy.find(
        (other) =>
          other.sites.some((site) => group.sites.includes(site)) ||
          (other.sites.length === 0 && group.sites.length === 0),
      ) ?? (readFromAfar ? roomy[0] : undefined)
    if (!fitting) open.push({ sites: group.sites, files: [...group.files] })
    else {
      fitting.sites = fitting.sites.filter((site) => group.sites.includes(site))
      fitting.files.push(...group.files)
    }
  }
  return [...jobs, ...open.map((group) => group.files.map(nameOf))]
}

const nameOf = ({ scope, name }: InputFile): Did => ({ scope, name })

import { helperFor, pilotLines, type Submission } from './login-script.ts'

/** The helper at a Slurm cluster. `scancel` may meet jobs that have just ended by themselves. */
export const SLURM_HELPER = helperFor({
  commands: ['squeue', 'sbatch'],
  functions: `
me=$(id -un)
asked() { squeue -h -r -t all -u "$me" "$@" || exit 75; }
queue() { asked -o '%F|%K|%T|%r'; }
found() { asked --name "kumi-$word" -o %F; }
handed() { job=$(sbatch --parsable "batches/$word/script") && echo "\${job%%;*}"; }
dropped() { :; }`,
  transient: 'timed out|contact|connect|try again|temporar',
  verbs: `
cancel)
  xargs -r scancel -Q || :
  ;;
kill)
  xargs -r scancel -Q -s KILL --full || :
  ;;
partitions)
  sinfo -h -o '%P|%a|%l' || exit 75
  ;;
tryout)
  said=$(sbatch --test-only 2>&1) || { echo "$said" >&2; exit 76; }
  echo "$said"
  ;;`,
})

/** The script of one submission: an array with a pilot for each line of its stamps. */
export function arrayScript(submission: Submission, options: readonly string[]): string {
  return [
    '#!/bin/sh',
    `#SBATCH --job-name=kumi-${submission.name}`,
    `#SBATCH --array=0-${submission.count - 1}`,
    ...options.map((option) => `#SBATCH ${option}`),
    '#SBATCH --nodes=1',
    '#SBATCH --ntasks=1',
    '#SBATCH --no-requeue',
    '#SBATCH --export=PATH',
    '#SBATCH --chdir=/',
    '#SBATCH --output=/dev/null',
    ...pilotLines(submission, '$SLURM_ARRAY_TASK_ID'),
  ].join('\n')
}

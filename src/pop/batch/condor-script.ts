import { helperFor, pilotLines, type Submission } from './login-script.ts'
import { DRAIN_SECONDS } from './offers.ts'

/** Every job of a gateway's place has this attribute, with the name of its space. */
const own = String.raw`KumiSpace == \"$space\"`
const LIVE = 'ClusterId,ProcId,JobStatus,HoldReason'

/** The helper at an HTCondor access point. `condor_rm` may meet jobs that have just ended by themselves. */
export const CONDOR_HELPER = helperFor({
  commands: ['condor_q', 'condor_submit'],
  functions: `
asked() { condor_q -constraint "$@" || exit 75; }
queue() { asked "${own}" -json -attributes ${LIVE}; }
found() { asked "${own} && KumiSubmission == \\"$word\\"" -af ClusterId; }
handed() { job=$(condor_submit -terse "batches/$word/script") && echo "\${job%%.*}"; }
dropped() {
  xargs -n 50 | while read -r stamps; do
    condor_rm -constraint "${own} && stringListMember(KumiStamp, \\"$stamps\\", \\" \\")" >/dev/null 2>&1 || :
  done
}`,
  transient: 'connect|address of local schedd|timed? ?out|temporar|communication|contact',
  verbs: `
cancel | kill)
  xargs -r condor_rm >/dev/null 2>&1 || :
  ;;
past)
  while read -r job; do
    condor_history -match 1 -json -attributes ClusterId,ProcId,JobStatus,ExitCode,ExitBySignal,ExitSignal,RemoveReason "$job" || exit 75
    echo
  done
  ;;
slots)
  domain=$(condor_config_val FILESYSTEM_DOMAIN) || exit 75
  slots=$(condor_status -af FileSystemDomain) || exit 75
  echo "$domain|$(echo "$slots" | grep -c .)|$(echo "$slots" | grep -cixF "$domain")"
  ;;
tryout)
  trap 'rm -f tryout.$$' EXIT
  cat >tryout.$$
  said=$(condor_submit -dry-run /dev/null tryout.$$ 2>&1) || { echo "$said" >&2; exit 76; }
  echo "$said" | tail -n 1
  ;;`,
})

/** What is submitted, and what runs on a node with the number of its pilot. */
export function poolFiles(
  submission: Submission,
  wanted: {
    /** Of the gateway's place. */
    readonly space: string
    readonly cores: number
    readonly memoryMb: number
    readonly diskMb: number
    readonly seconds: number
    readonly account: string
    readonly attributes: readonly (readonly [name: string, value: string])[]
    /** Where the pilots are; without them one that is not made. */
    readonly stamps: string | undefined
  },
): { script: string; pilot: string } {
  const { space, name } = submission
  const script = [
    'universe = vanilla',
    `batch_name = kumi-${name}`,
    '# The shell is there on every node; login host and nodes share the rest.',
    'executable = /bin/sh',
    'transfer_executable = false',
    'should_transfer_files = NO',
    `arguments = "${space}/batches/${name}/pilot $(Process)"`,
    `initialdir = ${space}`,
    'output = /dev/null',
    'error = /dev/null',
    'notification = never',
    `request_cpus = ${wanted.cores}`,
    `request_memory = ${wanted.memoryMb}`,
    `request_disk = ${wanted.diskMb * 1024}`,
    '# Nothing starts twice: what lost its slot is over, and started again as another pilot where it is needed.',
    'requirements = NumJobStarts =?= undefined || NumJobStarts == 0',
    'periodic_remove = (JobStatus == 1 && NumJobStarts > 0)' +
      ` || (JobStatus == 2 && time() - JobCurrentStartDate > ${wanted.seconds})`,
    'want_graceful_removal = true',
    `job_max_vacate_time = ${DRAIN_SECONDS + 10}`,
    ...(wanted.account === '' ? [] : [`accounting_group = ${wanted.account}`]),
    `+KumiSpace = "${wanted.space}"`,
    `+KumiSubmission = "${name}"`,
    '+KumiStamp = "$(stamp)"',
    ...wanted.attributes.map(([attribute, value]) => `+${attribute} = ${literal(value)}`),
    wanted.stamps === undefined ? 'queue 1' : `queue stamp from ${wanted.stamps}`,
    '',
  ]
  return { script: script.join('\n'), pilot: pilotLines(submission, '$1').join('\n') }
}

const literal = (value: string): string =>
  /^(-?\d+(\.\d+)?|true|false)$/i.test(value) ? value : JSON.stringify(value)

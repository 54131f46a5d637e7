/** What the helper at a login host is told of the batch system there, in shell. */
export interface SchedulerShell {
  /** A command of it that says whether it is there, and one that submits. */
  readonly commands: readonly [asks: string, submits: string]
  /**
   * Functions: `queue` prints all jobs of this space, `found` the job of the submission $word, `handed` submits
   * batches/$word and prints the job, `dropped` ends what may be left of pilots that are forgotten; it reads their stamps.
   */
  readonly functions: string
  /** What in its words says that a submission may be tried again, for grep -E. */
  readonly transient: string
  /** Branches of `case $verb`: cancel and kill, which read jobs by their input, and more. */
  readonly verbs: string
}

/**
 * The program that answers for a gateway at a login host: `sh helper VERB SPACE [WORD]`, lists and files by its input. It
 * keeps a directory for each pilot and one for each submission; a submission that has a directory is made at most once.
 * Its exit status: 75 try again, 76 the batch system refused, 77 it is not there, 78 a tool is missing.
 */
export function helperFor({ commands, functions, transient, verbs }: SchedulerShell): string {
  const [asks, submits] = commands
  return `#!/bin/sh
umask 077
verb=$1 space=$2 word=$3
cd "$(dirname "$0")" || exit 78
chmod go-rwx .
command -v ${asks} >/dev/null 2>&1 || { [ ! -r /etc/profile ] || . /etc/profile >/dev/null 2>&1; }
command -v ${submits} >/dev/null 2>&1 || { echo 'There is no ${submits} in the search path.' >&2; exit 77; }
command -v flock >/dev/null 2>&1 || { echo 'The program flock is missing; it belongs to util-linux.' >&2; exit 78; }
if [ "$verb" = bundle ]; then
  if [ -d "bundles/$word" ]; then echo there; exit 0; fi
  [ "$space" = put ] || { echo missing; exit 0; }
  mkdir -p bundles && rm -rf "bundles/$word.$$" && mkdir "bundles/$word.$$" || exit 78
  tar -xzf - -C "bundles/$word.$$" || { rm -rf "bundles/$word.$$"; echo 'The bundle did not arrive whole.' >&2; exit 75; }
  mv "bundles/$word.$$" "bundles/$word" 2>/dev/null || { rm -rf "bundles/$word.$$"; [ -d "bundles/$word" ]; } || exit 78
  echo there
  exit 0
fi
mkdir -p "$space/pilots" "$space/batches" && cd "$space" || exit 78

locked() { exec 9>lock && flock 9; }
unpack() {
  rm -rf incoming.* && mkdir incoming.$$ && tar -xf - -C incoming.$$ && return
  rm -rf incoming.$$
  echo 'The files did not arrive whole.' >&2
  exit 75
}
# known STAMP: whether it belongs to a submission that was made or will be.
known() {
  [ -f "pilots/$1/task" ] || return 1
  read -r its _ <"pilots/$1/task"
  [ -d "batches/$its" ]
}
undo() {
  while read -r stamp; do
    read -r its _ <"pilots/$stamp/task" && [ "$its" = "$word" ] && rm -rf "pilots/$stamp"
  done <"batches/$word/stamps"
  rm -rf "batches/$word"
}
${functions.trim()}

case $verb in
list)
  for at in pilots/*/; do
    [ -f "$at/task" ] || continue
    batch= index= job= code= said= begun=
    read -r batch index <"$at/task"
    [ ! -f "batches/$batch/job" ] || read -r job <"batches/$batch/job"
    [ ! -f "$at/exit" ] || read -r code <"$at/exit"
    [ -z "$code" ] || [ "$code" = 0 ] || said=$(tail -c 300 "$at/out" 2>/dev/null | tr '\\n|' '  ')
    [ ! -d "$at/begun" ] || begun=begun
    stamp=\${at#pilots/}
    echo "\${stamp%/}|$batch|$index|$job|$begun|$code|$said"
  done
  echo =
  queue
  ;;
submit)
  locked
  if [ -d "batches/$word" ]; then
    cat >/dev/null
  else
    unpack
    for new in incoming.$$/pilots/*/; do
      stamp=\${new#incoming.$$/pilots/}
      stamp=\${stamp%/}
      known "$stamp" && continue
      rm -rf "pilots/$stamp"
      mv "$new" "pilots/$stamp" || exit 78
    done
    mv "incoming.$$/batches/$word" "batches/$word" || exit 78
    rm -rf incoming.$$
  fi
  [ ! -s "batches/$word/job" ] || exit 0
  job=
  if [ -f "batches/$word/sent" ]; then
    # Nobody knows what became of it: the batch system knows it by its name, or a pilot of it has begun.
    job=$(found) || exit 75
    job=$(echo "$job" | head -n 1)
    if [ -z "$job" ]; then
      while read -r stamp; do [ ! -d "pilots/$stamp/begun" ] || job=gone; done <"batches/$word/stamps"
    fi
  fi
  if [ -z "$job" ]; then
    : >"batches/$word/sent"
    job=$(handed 2>"batches/$word/said")
    code=$?
    cat "batches/$word/said" >&2
    if [ "$code" != 0 ]; then
      grep -qiE '${transient}' "batches/$word/said" && exit 75
      undo
      exit 76
    fi
  fi
  echo "$job" >"batches/$word/job.new" && mv "batches/$word/job.new" "batches/$word/job"
  ;;
renew)
  locked
  unpack
  for new in incoming.$$/pilots/*/; do
    stamp=\${new#incoming.$$/pilots/}
    [ ! -d "pilots/$stamp" ] || mv "$new/pilot.json" "pilots/$stamp/pilot.json"
  done
  rm -rf incoming.$$
  ;;
forget)
  locked
  while read -r stamp; do
    case $stamp in '' | *[!A-Za-z0-9_-]*) continue ;; esac
    rm -rf "pilots/$stamp"
    echo "$stamp"
  done >forgotten
  dropped <forgotten
  for batch in batches/*/; do
    [ -f "$batch/stamps" ] || continue
    left=
    while read -r stamp; do [ ! -d "pilots/$stamp" ] || left=1; done <"$batch/stamps"
    [ -n "$left" ] || rm -rf "$batch"
  done
  ;;
${verbs.trim()}
*)
  exit 78
  ;;
esac
`
}

/** Where the pilots of one submission find what they need; absolute paths at the cluster. */
export interface Submission {
  readonly name: string
  readonly count: number
  readonly space: string
  readonly node: string
  readonly program: string
}

/** What runs on a node for one pilot of a submission: the one in line `index` + 1 of its stamps. */
export function pilotLines({ name, space, node, program }: Submission, index: string): string[] {
  return [
    'umask 077',
    `space=${space} index=${index}`,
    `stamp=$(sed -n "$((index + 1))p" "$space/batches/${name}/stamps")`,
    'at=$space/pilots/$stamp',
    `read -r its number <"$at/task" && [ "$its $number" = "${name} $index" ] || exit 0`,
    '# Whatever was submitted twice, a pilot begins once.',
    'mkdir "$at/begun" || exit 0',
    'cd "$at" || exit 1',
    '[ -n "$TMPDIR" ] || TMPDIR=/tmp',
    'scratch=$(mktemp -d "$TMPDIR/kumi-$stamp-XXXXXX") || { echo "no scratch on $(hostname)" >>out; echo 1 >exit; exit 1; }',
    'sed "s|@scratch@|$scratch|" pilot.json >"$scratch/pilot.json"',
    '[ -n "$PATH" ] || PATH=/usr/local/bin:/usr/bin:/bin',
    'export HOME="$scratch" TZ=UTC PATH',
    `"${node}" --max-old-space-size=192 "${program}" --config "$scratch/pilot.json" 2>>out &`,
    'pilot=$!',
    '# Some batch systems tell this shell alone to end, and it is to tell how the pilot ended.',
    'trap \'kill -TERM "$pilot" 2>/dev/null\' TERM INT',
    'while wait "$pilot"; code=$?; kill -0 "$pilot" 2>/dev/null; do :; done',
    'rm -rf "$scratch"',
    'echo "$code" >exit.new && mv exit.new exit',
    'exit "$code"',
    '',
  ]
}

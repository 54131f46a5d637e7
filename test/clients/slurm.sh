#!/usr/bin/env bash
# A site whose cluster is a real Slurm behind a real sshd: added with one command, tested step by step, and then it runs
# jobs end to end: submitted here, started by Slurm, outputs registered. Works with the grid of the environment.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${KUMI_HOME:?}"
work=$(mktemp -d)
lab=$(mktemp -d "${TMPDIR:-/tmp}/kumi-slurm-XXXXXX")
. "$here/checks.sh"
finish() {
  "$root/test/harness/slurm-lab.sh" stop "$lab"
  rm -rf "$work"
}
trap finish EXIT
# Nothing is waited for without end: `most` seconds for each command.
most=90
bounded() {
  timeout -k 5 "$most" "$@"
  local code=$?
  [ "$code" != 124 ] && [ "$code" != 137 ] || echo "$1 ${2:-} ${3:-} had not ended after $most s"
  return "$code"
}
kumi() { bounded "$root/kumi" "$@"; }
free() { node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

if [ "$(id -u)" != 0 ]; then
  echo 'FAIL - Slurm needs root here'
  echo '0 passed, 1 failed'
  exit 1
fi
rmdir "$lab"
chmod 711 "$KUMI_HOME"
most=300
check 'a Slurm of one node starts' bounded "$root/test/harness/slurm-lab.sh" start "$lab" "$(free)" "$(free)" "$(free)"
most=90
login=$(cat "$lab/user")@127.0.0.1:$(cat "$lab/port")
read -r site rse < <(node -p 'const [s] = JSON.parse(require("node:fs").readFileSync(process.env.KUMI_HOME + "/grid.json", "utf8")).sites; s.name + " " + s.rse')
add() { kumi site add lab --slurm "$login" --through "$site" --poll 2 --hours 1 --cores 1 --memory 1024 --disk 2048 --pilots 3 --waiting 3 "$@"; }

check 'a site is added with one command' add --partition short
check 'without a host key the test says which one there is' refused "$(sed 's/+/[+]/g' "$lab/host-key")" kumi site test lab
check 'another host key is refused' add --partition short --host-key "SHA256:$(printf 'A%.0s' $(seq 43))"
check 'and the test says so' refused 'another machine answers' kumi site test lab
check 'the host key is accepted' add --partition none --host-key "$(cat "$lab/host-key")"
check 'without its key the gateway may not log in, and is told what to do' refused authorized_keys kumi site test lab
grep -oE 'ssh-ed25519 .*' "$work/out" >"$lab/authorized_keys"
check 'a partition that does not exist is named' refused 'no partition "none"' kumi site test lab
check 'more time is offered than the partition allows' add --partition short --hours 9 --host-key "$(cat "$lab/host-key")"
check 'which the test says before anything waits' refused 'at most 1:00:00' kumi site test lab
check 'a partition of at most two days takes them' add --partition long --host-key "$(cat "$lab/host-key")"
most=330
check 'the test goes all the way: a pilot of Slurm took a job, its output is registered' kumi site test lab --minutes 5
most=90

seen() { # job, JavaScript of what it must come to: looks for 90 seconds at what `kumi job show` says
  local until=$((SECONDS + 90))
  while [ "$SECONDS" -lt "$until" ]; do
    kumi job show "$1" --json >"$work/job" && node -e '
      const { job, attempts, made } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
      process.exit(eval(process.argv[2]) ? 0 : 1)' "$work/job" "$2" && return
    sleep 1
  done
  echo "job $1 did not come to $2 within 90 s"
  cat "$work/job"
  kumi job explain "$1"
  return 1
}
submitted() { kumi job submit --json --site lab --time 360 --memory 512 --disk 100 "$@" | node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).jobs[0]'; }

echo "a list of runs $$" >"$work/runs-$$.txt"
check 'a file is stored at a site' kumi data put "$work/runs-$$.txt" --rse "$rse" --scope user.admin
cat >"$work/work.sh" <<'WORK'
#!/bin/sh
id -un
echo "$KUMI_JOB_NUMBER from $(id -un)" >made.txt
cat "$(cat "$KUMI_INPUT_LIST")" >>made.txt
WORK
chmod 755 "$work/work.sh"
most=180
check 'jobs run there and end well' kumi job submit "$work/work.sh" --count 4 --site lab --time 360 --memory 512 --disk 100 \
  --input "user.admin:runs-$$.txt" --anywhere --output "made.txt=user.admin:slurm-$$" --wait
most=90
files() { [ "$(kumi data ls "user.admin:slurm-$$" --json | node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).length')" = 4 ]; }
check 'each made one file of a dataset' files
check 'they are fetched' kumi data get "user.admin:slurm-$$" --dir "$work/got"
hold() { [ "$(find "$work/got" -type f -exec cat {} + | grep -c "$1")" = 4 ]; }
check 'made by the account at the cluster, nobody else' hold "from $(cat "$lab/user")"
check 'from the input that each had' hold "a list of runs $$"

printf '#!/bin/sh\necho it was wrong; exit 7\n' >"$work/wrong.sh"
chmod 755 "$work/wrong.sh"
wrong=$(submitted "$work/wrong.sh")
check 'a job that fails shows its exit code' seen "$wrong" 'job.status === "Failed" && attempts[0].exitCode === 7'
logs() { kumi job logs "$wrong" | grep 'it was wrong'; }
check 'and what it wrote' logs

long=$(submitted /bin/sleep 300)
check 'a long job runs' seen "$long" 'job.status === "Running"'
ended() { SLURM_CONF=$lab/slurm.conf timeout 20 scancel --user "$(cat "$lab/user")" --state RUNNING; }
check 'the cluster ends its pilots' ended
check 'they hand back what they have, and the job is started again' seen "$long" \
  'attempts[0].outcome === "returned" && attempts.length === 2 && job.status === "Running"'
check 'it is killed' kumi job kill "$long"
check 'and so it ends' seen "$long" 'job.status === "Killed"'
stopped() {
  local until=$((SECONDS + 60))
  while pgrep -u "$(cat "$lab/user")" -f 'sleep 300'; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 1
  done
}
check 'at the cluster as well' stopped
others() { ! find "$lab/home/.kumihimo" -perm /077 ! -type l | grep .; }
check 'no file there can be read by others' others
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

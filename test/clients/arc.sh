#!/usr/bin/env bash
# A site with a real ARC computing element of Debian: added with one command, tested step by step, and then it runs jobs
# end to end; ARC's own clients see the pilots and end one. Works with the grid of the environment. Takes minutes, by hand.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${KUMI_HOME:?}"
work=$(mktemp -d)
lab=$(mktemp -d "${TMPDIR:-/tmp}/kumi-arc-XXXXXX")
finish() {
  "$root/test/harness/arc-lab.sh" stop "$lab"
  rm -rf "$work"
}
trap finish EXIT
. "$root/test/clients/checks.sh"
free() { node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

if [ "$(id -u)" != 0 ]; then
  echo 'FAIL - ARC needs root here'
  echo '0 passed, 1 failed'
  exit 1
fi
rmdir "$lab"
chmod 711 "$KUMI_HOME"
check 'an ARC computing element starts' timeout 300 "$root/test/harness/arc-lab.sh" start "$lab" "$(free)"
read -r site rse < <(js 'it.sites[0].name + " " + it.sites[0].rse' <"$KUMI_HOME/grid.json")
credential=$KUMI_HOME/sites/$site/clusters/bern.pem
rm -f "$credential"
add() {
  kumi site add bern --arc "$(cat "$lab/url")" --authority "$lab/ca.pem" --through "$site" --poll 2 --hours 1 --cores 1 \
    --memory 1024 --disk 2048 --pilots 3 --waiting 3 "$@"
}
put_credential() { install -m "$1" /dev/null "$credential" && cat "$lab/usercert.pem" "$lab/userkey.pem" >>"$credential"; }
tested() { timeout 400 node "$root/dist/src/cli/main.js" site test bern --minutes 6; }

check 'a site is added with one command' add
check 'the test shows what its token says, and that the place does not admit it' refused \
  'tokens of https://.*, subject .*compute\.create|does not accept the credentials' kumi site test bern
check 'a certificate opens it as well' add --credential certificate
check 'without one the test says where it must be' refused 'There is no .*/clusters/bern\.pem' kumi site test bern
put_credential 644
check 'one that others may read is not used' refused '0600' kumi site test bern
put_credential 600
check 'another authority than the one that vouches for the place is not believed' add --credential certificate --authority "$KUMI_HOME/ca/ca.pem"
check 'and the test says so' refused 'FAIL arc: ' kumi site test bern
check 'a queue is named that there is not' add --credential certificate --queue none
check 'which the test says before anything is submitted' refused 'no queue "none"; there are fork' kumi site test bern
check 'its queue is named' add --credential certificate --queue fork
check 'the test goes all the way: a pilot of ARC took a job, its output is registered' tested

came() { # job, expression: what `kumi job show` comes to
  until_true 180 holds "$1" "$2" && return
  kumi job show "$1" --json
  kumi job explain "$1"
  return 1
}
holds() { kumi job show "$1" --json | is true "$2"; }
submitted() { kumi job submit --json --site bern --time 360 --memory 512 --disk 100 "$@" | js 'it.jobs[0]'; }

echo "a list of runs $$" >"$work/runs-$$.txt"
check 'a file is stored at a site' kumi data put "$work/runs-$$.txt" --rse "$rse" --scope user.admin
cat >"$work/work.sh" <<'WORK'
#!/bin/sh
echo "$KUMI_JOB_NUMBER from $(id -un)" >made.txt
cat "$(cat "$KUMI_INPUT_LIST")" >>made.txt
WORK
chmod 755 "$work/work.sh"
check 'jobs run there and end well' timeout 400 node "$root/dist/src/cli/main.js" job submit "$work/work.sh" --count 4 --site bern \
  --time 360 --memory 512 --disk 100 --input "user.admin:runs-$$.txt" --anywhere --output "made.txt=user.admin:arc-$$" --wait
check 'each made one file of a dataset' eval 'kumi data ls "user.admin:arc-$$" --json | is 4 it.length'
check 'they are fetched' kumi data get "user.admin:arc-$$" --dir "$work/got"
hold() { [ "$(find "$work/got" -type f -exec cat {} + | grep -c "$1")" = 4 ]; }
check 'made by the account that ARC maps the gateway to' hold "from $(cat "$lab/user")"
check 'from the input that each had' hold "a list of runs $$"

printf '#!/bin/sh\necho it was wrong; exit 7\n' >"$work/wrong.sh"
chmod 755 "$work/wrong.sh"
wrong=$(submitted "$work/wrong.sh")
check 'a job that fails shows its exit code' came "$wrong" 'it.job.status === "Failed" && it.attempts[0].exitCode === 7'

# ARC's own clients, as the same person.
export X509_USER_CERT=$lab/usercert.pem X509_USER_KEY=$lab/userkey.pem X509_USER_PROXY=$work/proxy X509_CERT_DIR=$lab/certificates
arc() { HOME=$work timeout 60 "$@"; }
arcjobs() { arc arcsync -f -C "$(cat "$lab/url")" -T arcrest -j "$work/jobs.xml" <<<y && arc arcstat -a -j "$work/jobs.xml"; }
# The job that the pilot of a job of ours is, in ARC's words.
reference() {
  local pilot
  pilot=$(kumi job show "$1" --json | js 'it.attempts.at(-1).pilot') &&
    curl -sS -H "Authorization: Bearer $(cat "$BEARER_TOKEN_FILE")" "$KUMI_SERVER/kumi/v1/pilots" |
    js "it.pilots.find(p=>p.stamp==='$pilot').reference"
}
long=$(submitted /bin/sleep 300)
check 'a long job runs' came "$long" 'it.job.status === "Running"'
check "arcproxy makes a proxy of the certificate" arc arcproxy
job=$(reference "$long")
sees() { arcjobs >"$work/stat" 2>&1; cat "$work/stat"; grep -A1 -F "$job" "$work/stat" | grep -q 'State: Running'; }
check 'arcstat sees the pilot that runs it, by the name that the grid shows' until_true 150 sees
check 'arckill ends it' arc arckill -j "$work/jobs.xml" -k "$job"
check 'it hands back what it has, and the job is started again' came "$long" \
  'it.attempts.length === 2 && it.job.status === "Running" && it.job.failures === 0'
check 'the job is killed' kumi job kill "$long"
check 'and so it ends' came "$long" 'it.job.status === "Killed"'
stopped() { ! pgrep -u "$(cat "$lab/user")" -f 'sleep 300'; }
check 'at the place as well' until_true 60 stopped
others() { ! find "$lab/session" -mindepth 1 -maxdepth 1 -perm /077 | grep .; }
check 'nothing of a job there can be read by others' others
cleaned() { [ -z "$(find "$lab/session" -mindepth 1 -maxdepth 1)" ]; }
check 'and nothing is left there when its pilots have ended' until_true 240 cleaned
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

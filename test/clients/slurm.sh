#!/usr/bin/env bash
# A site whose cluster is a real Slurm behind a real sshd: added with one command, tested step by step, and then it runs
# jobs end to end: submitted here, started by Slurm, outputs registered. Works with the grid of the environment.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${KUMI_HOME:?}"
work=$(mktemp -d)
lab=$(mktemp -d "${TMPDIR:-/tmp}/kumi-slurm-XXXXXX")
passed=0 failed=0
finish() {
  "$root/test/harness/slurm-lab.sh" stop "$lab"
  rm -rf "$work"
}
trap finish EXIT
check() { # sentence, command…
  local sentence=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    echo "ok - $sentence"
  else
    failed=$((failed + 1))
    echo "FAIL - $sentence"
    tail -n 15 "$work/said"
  fi
}
kumi() { "$root/kumi" "$@"; }
says() { # words, command…: the command fails, and says so
  local words=$1
  shift
  if "$@" >"$work/out" 2>&1; then return 1; fi
  cat "$work/out"
  grep -q -- "$words" "$work/out"
}
free() { node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

if [ "$(id -u)" != 0 ]; then
  echo 'FAIL - Slurm needs root here'
  echo '0 passed, 1 failed'
  exit 1
fi
rmdir "$lab"
chmod 711 "$KUMI_HOME"
check 'a Slurm of one node starts' "$root/test/harness/slurm-lab.sh" start "$lab" "$(free)" "$(free)" "$(free)"
login=$(cat "$lab/user")@127.0.0.1:$(cat "$lab/port")
site=$(node -p 'JSON.parse(require("node:fs").readFileSync(process.env.KUMI_HOME + "/grid.json", "utf8")).sites[0].name')
add() { kumi site add lab --slurm "$login" --through "$site" --poll 2 --hours 1 --cores 1 --memory 1024 --disk 2048 --pilots 3 --waiting 3 "$@"; }

check 'a site is added with one command' add --partition short
check 'without a host key the test says which one there is' says "$(cat "$lab/host-key")" kumi site test lab
check 'another host key is refused' add --partition short --host-key "SHA256:$(printf 'A%.0s' $(seq 43))"
check 'and the test says so' says 'another machine answers' kumi site test lab
check 'the host key is accepted' add --partition none --host-key "$(cat "$lab/host-key")"
check 'without its key the gateway may not log in, and is told what to do' says authorized_keys kumi site test lab
grep -oE 'ssh-ed25519 .*' "$work/out" >"$lab/authorized_keys"
check 'a partition that does not exist is named' says 'no partition "none"' kumi site test lab
check 'more time than the partition allows is refused before anything waits' add --partition short --hours 9 --host-key "$(cat "$lab/host-key")"
check 'in the words of Slurm' says 'refuses the pilots' kumi site test lab
check 'a partition of at most a day takes them' add --partition long --host-key "$(cat "$lab/host-key")"
check 'the test goes all the way: a pilot of Slurm took a job, its output is registered' kumi site test lab --minutes 2

printf '#!/bin/sh\nid -un\necho "$KUMI_JOB_NUMBER from $(id -un)" >made.txt\n' >"$work/work.sh"
chmod 755 "$work/work.sh"
check 'jobs run there and end well' timeout 60 "$root/kumi" job submit "$work/work.sh" --count 6 --site lab --time 360 --memory 512 --disk 100 \
  --output "made.txt=user.admin:slurm-$$" --wait
files() { [ "$(kumi data ls "user.admin:slurm-$$" --json | node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).length')" = 6 ]; }
check 'each made one file of a dataset' files
fetched() { kumi data get "user.admin:slurm-$$" --to "$work/got" && [ "$(cat "$work"/got/*/* "$work"/got/* 2>/dev/null | grep -c "from $(cat "$lab/user")")" = 6 ]; }
check 'made by the account at the cluster, nobody else' fetched
others() { ! find "$lab/home/.kumihimo" -perm /077 ! -type l | grep .; }
check 'no file there can be read by others' others
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/usr/bin/env bash
# The contract of the main job: one command, one JSON line, everything stopped and removable afterwards; twice at
# once; as root and, where root may make one, as an ordinary user with a closed home.
set -uo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
chmod 711 "$work"
passed=0 failed=0
trap 'rm -rf "$work"' EXIT

check() { # name, command…: fails with the command, so that its words can be shown
  local name=$1
  shift
  if "$@"; then echo "ok - $name"; passed=$((passed + 1)); else echo "FAIL - $name"; failed=$((failed + 1)); return 1; fi
}
good_summary() { node test/good-summary.mjs "$1"; } # file
nothing_runs() { ! pgrep -f -- "$1" >/dev/null; }

npm start -- --once --json --home "$work/a" --port 7610 >"$work/a.out" 2>"$work/a.err" &
a=$!
npm start -- --once --json --home "$work/b" --port 7620 >"$work/b.out" 2>"$work/b.err"
check "the main job ends with exit code 0 (b)" test $? -eq 0
wait $a
check "two at once (a)" test $? -eq 0
for run in a b; do
  check "summary of $run" good_summary "$work/$run.out" || tail -n 30 "$work/$run.err"
  check "nothing of $run is left running" nothing_runs "$work/$run"
  ./kumi down --home "$work/$run" --purge 2>/dev/null
  check "purge of $run leaves nothing" test ! -e "$work/$run"
done

# Four starts in the same second that name no port.
starts=()
for run in 1 2 3 4; do
  ./kumi up --home "$work/at-once-$run" --detach >"$work/at-once-$run.out" 2>&1 &
  starts+=($!)
done
for run in 1 2 3 4; do
  check "one of four at once starts ($run)" wait "${starts[run - 1]}" || cat "$work/at-once-$run.out"
done
ports() { sed -n 's/.*"port": *\([0-9]*\).*/\1/p' "$work"/at-once-?/grid.json; }
check "the four have ports of their own" test "$(ports | sort -u | wc -l)" = 16
for run in 1 2 3 4; do
  check "it runs ($run)" ./kumi status --home "$work/at-once-$run"
  ./kumi down --home "$work/at-once-$run" --purge 2>/dev/null
done

if [ "$(id -u)" = 0 ] && command -v useradd >/dev/null; then
  user=kumitest$$
  useradd --create-home "$user"
  home=$(getent passwd "$user" | cut -d: -f6)
  chmod 700 "$home"
  git clone -q . "$home/clone" && chown -R "$user:" "$home/clone"
  su "$user" -c "cd ~/clone && npm start -- --once --json --home ~/grid --port 7630" >"$work/c.out" 2>"$work/c.err"
  check "a fresh clone as an ordinary user in a closed home" good_summary "$work/c.out" || tail -n 30 "$work/c.err"
  pkill -u "$user" 2>/dev/null
  userdel --remove "$user" 2>/dev/null
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

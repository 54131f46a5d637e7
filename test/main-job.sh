#!/usr/bin/env bash
# The contract of the main job: one command, one JSON line, everything stopped and removable afterwards; twice at
# once; as root and, where root may make one, as an ordinary user with a closed home.
set -uo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
chmod 711 "$work"
passed=0 failed=0
trap 'rm -rf "$work"' EXIT
. test/harness/accounts.sh

check() { # name, command…: fails with the command, so that its words can be shown
  local name=$1
  shift
  if "$@"; then echo "ok - $name"; passed=$((passed + 1)); else echo "FAIL - $name"; failed=$((failed + 1)); return 1; fi
}
good_summary() { node test/good-summary.mjs "$1"; } # file
nothing_runs() { ! pgrep -f -- "$1" >/dev/null; }

# One in this clone, and one in a fresh clone of an ordinary user where root may make one.
user=
if [ "$(id -u)" = 0 ] && command -v useradd >/dev/null; then
  user=kumitest$$
  accounts useradd --create-home "$user"
  home=$(getent passwd "$user" | cut -d: -f6)
  chmod 700 "$home"
  git clone -q . "$home/clone" && chown -R "$user:" "$home/clone"
  b=$home/grid
  su "$user" -c "cd ~/clone && exec npm start -- --once --json --home ~/grid --port 7620" >"$work/b.out" 2>"$work/b.err" &
else
  b=$work/b
  npm start -- --once --json --home "$b" --port 7620 >"$work/b.out" 2>"$work/b.err" &
fi
other=$!
# Not before that grid begins: the two shall run at once.
until [ -e "$b/grid.json" ] || ! kill -0 $other 2>/dev/null; do sleep 0.5; done
npm start -- --once --json --home "$work/a" --port 7610 >"$work/a.out" 2>"$work/a.err"
check "the main job ends with exit code 0 (a)" test $? -eq 0
wait $other
check "two at once${user:+, one of an ordinary user with a closed home} (b)" test $? -eq 0
for run in "$work/a" "$b"; do
  name=$([ "$run" = "$b" ] && echo b || echo a)
  check "summary of $name" good_summary "$work/$name.out" || tail -n 30 "$work/$name.err"
  check "nothing of $name is left running" nothing_runs "$run"
  ./kumi down --home "$run" --purge 2>/dev/null
  check "purge of $name leaves nothing" test ! -e "$run"
done
if [ -n "$user" ]; then
  pkill -u "$user" 2>/dev/null
  accounts userdel --remove "$user" 2>/dev/null
fi

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

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

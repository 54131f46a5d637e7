#!/usr/bin/env bash
# Foreign clients against a grid of their own: started in a temporary directory on free ports, purged at the end.
# Prints the lines of each script and one closing line. `npm run conformance` builds first.
#   KUMI_CACHE        where clients from PyPI are kept between runs (~/.cache/kumi)
#   CLIENTS           which scripts to run (rucio analyst bad-input storage x509 uproot people oidc-agent xrootd voms cvmfs diracx production raw construction physics slurm; by hand: debian arc three-sites)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
work=$(mktemp -d)
passed=0 failed=0
began=$SECONDS

finish() {
  "$root/kumi" down --home "$work/home" --purge >"$work/down" 2>&1 || cat "$work/down"
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# run NAME COMMAND…: the script's own closing line is added up, not shown; a script that ends without one has failed.
run() {
  local name=$1 p f
  shift
  echo "# $name"
  "$@" 2>&1 | tee "$work/lines" | grep -vE '^[0-9]+ passed, [0-9]+ failed$'
  if read -r p _ f _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/lines" | tail -1) && [ -n "$p" ]; then
    passed=$((passed + p)) failed=$((failed + f))
  else
    failed=$((failed + 1))
    echo "FAIL - $name ended before its closing line"
  fi
}

# Everything that can be logged is, so that a secret in a log shows.
if ! KUMI_LOG_LEVEL=debug "$root/kumi" up --home "$work/home" --detach >"$work/up" 2>&1; then
  cat "$work/up"
  echo "0 passed, 1 failed"
  exit 1
fi
eval "$("$root/kumi" env --home "$work/home")"

for name in ${CLIENTS:-rucio analyst bad-input storage x509 uproot people oidc-agent xrootd voms cvmfs diracx production raw construction physics slurm}; do
  if [ "$name" = uproot ]; then
    if ! "$cache/uproot/bin/python" -c 'import uproot' 2>/dev/null; then
      python3 -m venv "$cache/uproot" && "$cache/uproot/bin/pip" install --quiet uproot
    fi
    run uproot env "PYTHON=$cache/uproot/bin/python" bash -c '
      if sh "$1"; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; fi' - "$here/uproot/run.sh"
  else
    run "$name" bash "$here/$name.sh"
  fi
done
run secrets node "$here/secrets.mjs" "$work/home"
echo "# $((SECONDS - began)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

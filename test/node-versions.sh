#!/usr/bin/env bash
# The demo and the tests in a fresh clone with other versions of Node.js, which come from npm packages.
#   NODE_VERSIONS   which (22 24): the newest of each is taken
#   KUMI_CACHE      where they are kept between runs (~/.cache/kumi)
#   CHECKS          what to run (start test); certificates: only the tests of chains and proxies
set -uo pipefail
cd "$(dirname "$0")/.."
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
package=node-$(node -p 'process.platform + "-" + process.arch')
logs=$PWD/test-results/node-versions
work=$(mktemp -d)
passed=0 failed=0
trap 'rm -rf "$work"' EXIT
mkdir -p "$logs"

check() { # name, command…
  local name=$1 began=$SECONDS log
  log=$logs/${name//[^a-zA-Z0-9]/-}.log
  shift
  if "$@" >"$log" 2>&1; then
    echo "ok - $name ($((SECONDS - began)) s)"
    passed=$((passed + 1))
  else
    echo "FAIL - $name ($((SECONDS - began)) s); see $log"
    tail -n 30 "$log"
    failed=$((failed + 1))
  fi
}
within() { (cd "$work/$1" && shift && "$@"); } # directory below, command…

for version in ${NODE_VERSIONS:-22 24}; do
  directory=$cache/node-$version
  check "Node.js $version is there" npm install --no-audit --no-fund --prefix "$directory" "$package@$version"
  export PATH=$directory/node_modules/$package/bin:$PATH
  check "this is Node.js $version" test "$(node -p 'process.versions.node.split(".")[0]')" = "$version"
  node --version
  git clone -q . "$work/$version"
  for what in ${CHECKS:-start test}; do
    case $what in
      start)
        within "$version" npm start -- --once --json --home "$work/grid" >"$work/summary" 2>"$logs/start-$version.err"
        check "npm start with Node.js $version" node test/good-summary.mjs "$work/summary"
        within "$version" ./kumi down --home "$work/grid" --purge 2>/dev/null
        ;;
      certificates)
        # shellcheck disable=SC2016
        check "certificates with Node.js $version" within "$version" sh -c \
          'node scripts/prepare.mjs build && exec npx vitest run src/identity/x509 src/identity/voms src/identity/certificates src/http test/x509'
        ;;
      test) check "npm test with Node.js $version" within "$version" npm test ;;
    esac
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

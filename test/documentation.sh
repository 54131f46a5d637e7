#!/usr/bin/env bash
# Runs every ```sh block of the given documents, in order, as a reader would: one shell per document, against one
# grid in a fresh home. Blocks marked ```console show what a terminal looks like and are not run.
set -uo pipefail
cd "$(dirname "$0")/.."
documents=(README.md docs/newcomer.en.md docs/newcomer.ja.md docs/productions.md docs/operate/shift.md docs/approval.md)
work=$(mktemp -d)
passed=0 failed=0
export KUMI_HOME=$work/home PATH=$PWD:$PATH
trap './kumi down --home "$KUMI_HOME" --purge >/dev/null 2>&1; rm -rf "$work"' EXIT
./kumi up --home "$KUMI_HOME" --detach >"$work/up.log" 2>&1 || { cat "$work/up.log"; echo "0 passed, 1 failed"; exit 1; }
for document in "${documents[@]}"; do
  awk '/^```sh$/ {inside=1; next} /^```/ {inside=0} inside' "$document" >"$work/script.sh"
  mkdir -p "$work/cwd" && rm -rf "$work/cwd"/*
  if [ ! -s "$work/script.sh" ]; then
    echo "FAIL - $document has no command to run"; failed=$((failed + 1)); continue
  fi
  if (cd "$work/cwd" && bash -euo pipefail "$work/script.sh") >"$work/out.log" 2>&1 </dev/null; then
    echo "ok - the commands of $document"; passed=$((passed + 1))
  else
    echo "FAIL - the commands of $document"; cat "$work/out.log"; failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# Reads with uproot what src/cli/run-data writes. Needs a built checkout and a Python with the package uproot:
#   PYTHON=/path/to/venv/bin/python sh test/clients/uproot/run.sh
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/write.mjs" <<SCRIPT
import { writeFileSync } from 'node:fs'
import { generateRun } from '${KUMI_DIST:-$root/dist}/src/cli/run-data/generate-run.js'
import { writeRootTree } from '${KUMI_DIST:-$root/dist}/src/cli/run-data/root-tree.js'
const n = 150_000
writeFileSync('$work/known.root', writeRootTree({ name: 'events', entries: n, branches: [
  { name: 'event', values: Int32Array.from({ length: n }, (_, i) => i + 1) },
  { name: 'energy', values: Float32Array.from({ length: n }, (_, i) => i / 4) },
  { name: 'hit', width: 3, values: Float64Array.from({ length: 3 * n }, (_, i) => -i) },
] }))
const files = await generateRun({ experiment: 7, run: 12, seed: 1, files: 50, bytes: 20e6, directory: '$work/run' })
writeFileSync('$work/run.json', JSON.stringify(files))
SCRIPT
node "$work/write.mjs"
"${PYTHON:-python3}" "$root/test/clients/uproot/check.py" "$work"

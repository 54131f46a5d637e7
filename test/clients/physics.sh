#!/usr/bin/env bash
# The demo experiment on the demo sites, as a newcomer runs it: software published, a production from collisions to a plot,
# exact numbers of events at every level, and the plot traced back to its runs. Takes its world from `kumi env`.
set -uo pipefail
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}" "${KUMI_HOME:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
. "$root/test/clients/checks.sh"

demo() { kumi demo physics "$work/physics" --events 400 --json >"$work/demo" && production=$(js it.production <"$work/demo"); }
exact() {
  kumi prod show "$production" --json >"$work/shown" &&
    is 'completed 1 1200 1200 0' '[it.life,it.progress,it.eventsVerified,it.eventsWanted,it.failed].join(" ")' <"$work/shown" &&
    is '1200 1200 1200' 'it.steps.slice(0,3).map(s=>s.eventsVerified).join(" ")' <"$work/shown" &&
    is true 'const [,,m,u,n,p]=it.steps.map(s=>s.eventsVerified); u>100 && u<m && n===u && p===u' <"$work/shown"
}
# What the files of a level say themselves: entries of their trees.
level() { # step, events
  rm -rf "${work:?}/$1" && kumi data get "user.admin:$production.$1" --dir "$work/$1" --quiet &&
    node --input-type=module -e '
      import { readdirSync } from "node:fs"
      const { readRootEvents } = await import(`${process.argv[1]}/dist/src/cli/data/root-events.js`)
      let events = 0
      for (const file of readdirSync(process.argv[2], { recursive: true }))
        if (file.endsWith(".root")) events += await readRootEvents(`${process.argv[2]}/${file}`)
      console.log(events, "events in the trees, wanted", process.argv[3])
      process.exit(String(events) === process.argv[3] ? 0 : 1)' "$root" "$work/$1" "$2"
}
levels() {
  level raw 1200 && level mdst 1200 && level udst "$(js 'it.steps[3].eventsVerified' <"$work/shown")" &&
    level ntuple "$(js 'it.steps[4].eventsVerified' <"$work/shown")"
}
picture() {
  local file
  file=$(js it.picture <"$work/demo") && head -c 300 "$file" && grep -q "$(js 'it.steps[5].eventsVerified' <"$work/shown") pairs" "$file" &&
    grep -qE 'mass 3(09[0-9]|10[0-3])\.[0-9] ' "$file" && grep -q 'runs 1, 2, 3' "$file"
}
shown() { # the console's way: read at a storage by the server
  local name
  name=$(js it.plot <"$work/demo")
  curl --silent --fail --oauth2-bearer "$(cat "$BEARER_TOKEN_FILE")" "$KUMI_SERVER/kumi/v1/files/${name%%:*}/${name#*:}/picture" >"$work/picture" &&
    is image/svg+xml it.type <"$work/picture" && js 'Buffer.from(it.content, "base64").toString()' <"$work/picture" | diff -q - <(cat "$(js it.picture <"$work/demo")"; echo) &&
    refused no_picture curl --silent --fail-with-body --oauth2-bearer "$(cat "$BEARER_TOKEN_FILE")" "$KUMI_SERVER/kumi/v1/files/user.admin/plot.root/picture"
}
two_copies() {
  local block
  for block in $(js 'it.steps.slice(1).flatMap(s=>s.blocks.map(b=>b.name)).join(" ")' <"$work/shown"); do
    until_true 60 rule_ok "user.admin:$block" || return 1
  done
}
rule_ok() { kumi rule ls "$1" --json | is 'OK 2' '[...new Set(it.map(r=>r.state+" "+r.copies))].join()'; }
lineage() {
  kumi lineage "$(js it.plot <"$work/demo")" --depth 10 && kumi lineage "$(js it.plot <"$work/demo")" --depth 10 --json >"$work/lineage" &&
    is '1 2 3' 'const runs=new Set(), walk=f=>{ if(f.production.seed) runs.add(f.production.run); f.inputs.forEach(walk) }; walk(it); [...runs].sort().join(" ")' <"$work/lineage" &&
    is 'plot ntuple udst mdst raw generate' 'const steps=[]; for(let f=it; f; f=f.inputs[0]) steps.push(f.production.step); steps.join(" ")' <"$work/lineage" &&
    is true 'const roots=new Set(), walk=f=>{ roots.add(f.madeBy.software.root); f.inputs.forEach(walk) }; walk(it); roots.size===1 && /^[0-9a-f]{40}/.test([...roots][0])' <"$work/lineage"
}
# One of raw data, whose collisions were given up, and one of physics objects: the same bytes from the same recipe.
reproduced() { # step
  local file
  file=$(kumi data ls "user.admin:$production.$1.sub00" --json | js 'it[0].name') &&
    kumi reproduce "user.admin:$file" --dir "$work/again-$1" | tee "$work/same" && grep -q 'byte for byte' "$work/same"
}
recipe() {
  kumi reproduce "$(js it.plot <"$work/demo")" --print --json |
    is 'true true true' '[it.software.root.length>=40, it.environment.KUMI_CONDITIONS.startsWith("calibrated"), it.inputs.length>0 && it.inputs.every(i=>i.kept&&i.md5)].join(" ")'
}
again() {
  kumi demo physics "$work/second" --events 20 --prepare --json >"$work/prepared" && [ -x "$work/second/release/bin/physics" ] &&
    refused 'has no v[0-9]+, or its tree is gone' kumi prod define --check "$work/second/physics.yaml" &&
    sed -i "s|@v[0-9]*|@$(js '/@(v[0-9]+)/.exec(it.source)[1]' <"$work/shown")|" "$work/second/physics.yaml" &&
    kumi prod define --check "$work/second/physics.yaml" && is true '!it.commands.some(c=>c.includes("software create")) && /--tag v\d+/.test(it.commands[0])' <"$work/prepared"
}

check 'one command publishes the software, runs the production and fetches the plot' demo
check 'every level has exactly its events' exact
check 'the ROOT files themselves hold as many' levels
check 'the plot shows every pair, and the J/psi where it is' picture
check 'the console is given the plot, and nothing that is no picture' shown
check 'everything has two copies' two_copies
check 'the plot leads back to its runs through one software tree' lineage
check 'the recipe names software, conditions and inputs with checksums' recipe
check 'a file is made again byte for byte' reproduced udst
check 'also one whose input was given up' reproduced raw
check 'its files can be prepared, changed and checked without running' again
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# The demo experiment at three places at once: a Slurm cluster, an ARC computing element and processes of a demo site. Each
# does its own steps from collisions to the plot; the numbers of events are exact and everything has two copies. Works with
# the grid of the environment. Takes minutes, by hand.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${KUMI_HOME:?}"
work=$(mktemp -d)
slurm=$(mktemp -d "${TMPDIR:-/tmp}/kumi-slurm-XXXXXX")
arc=$(mktemp -d "${TMPDIR:-/tmp}/kumi-arc-XXXXXX")
finish() {
  "$root/test/harness/slurm-lab.sh" stop "$slurm"
  "$root/test/harness/arc-lab.sh" stop "$arc"
  rm -rf "$work"
}
trap finish EXIT
export XDG_CACHE_HOME=$work/cache
. "$root/test/clients/checks.sh"
free() { node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }

if [ "$(id -u)" != 0 ]; then
  echo 'FAIL - Slurm and ARC need root here'
  echo '0 passed, 1 failed'
  exit 1
fi
rmdir "$slurm" "$arc"
chmod 711 "$KUMI_HOME"
site=$(js 'it.sites[0].name' <"$KUMI_HOME/grid.json")
offer=(--through "$site" --poll 2 --hours 1 --cores 1 --memory 2048 --disk 4096 --pilots 2 --waiting 2)

nagoya() {
  timeout 300 "$root/test/harness/slurm-lab.sh" start "$slurm" "$(free)" "$(free)" "$(free)" &&
    kumi site add nagoya --slurm "$(cat "$slurm/user")@127.0.0.1:$(cat "$slurm/port")" --host-key "$(cat "$slurm/host-key")" --partition long "${offer[@]}" &&
    { kumi site test nagoya >"$work/first" 2>&1 || :; } && grep -oE 'ssh-ed25519 .*' "$work/first" >"$slurm/authorized_keys"
}
geneva() {
  timeout 300 "$root/test/harness/arc-lab.sh" start "$arc" "$(free)" &&
    kumi site add geneva --arc "$(cat "$arc/url")" --authority "$arc/ca.pem" --credential certificate "${offer[@]}" &&
    install -m 600 /dev/null "$KUMI_HOME/sites/$site/clusters/geneva.pem" &&
    cat "$arc/usercert.pem" "$arc/userkey.pem" >>"$KUMI_HOME/sites/$site/clusters/geneva.pem"
}
works() { timeout 400 node "$root/dist/src/cli/main.js" site test "$1" --minutes 6; }
# Which steps go where; a place without storage reads what lies elsewhere.
prepare() {
  kumi demo physics "$work/physics" --events 200 --prepare --json >"$work/prepared" || return 1
  node - "$work/physics/physics.yaml" "$site" <<'JS'
const { readFileSync, writeFileSync } = require('node:fs')
const [file, site] = process.argv.slice(2)
const places = { generate: 'nagoya', raw: 'geneva', mdst: site, udst: 'nagoya', ntuple: 'geneva', plot: site }
const text = readFileSync(file, 'utf8').replace(/^ {2}- name: (\w+)$/gm, (line, step) => {
  const afar = ['generate', 'udst', 'plot'].includes(step) ? '' : '\n    readFromAfar: yes'
  return `${line}\n    sites: [${places[step]}]${afar}`
})
writeFileSync(file, text)
JS
  cat "$work/physics/physics.yaml"
}
# The commands that `--prepare` printed, as they are.
production() {
  local line
  name=$(js '/prod start (\S+)/.exec(it.commands.find(c=>c.includes("prod start")))[1]' <"$work/prepared")
  while read -r line; do
    line=${line#kumi }
    echo "\$ kumi $line"
    eval "timeout 1500 node '$root/dist/src/cli/main.js' $line" || return 1
  done < <(js 'it.commands.join("\n")' <"$work/prepared")
}
exact() {
  kumi prod show "$name" --json >"$work/shown" &&
    is 'completed 1 600 600 0' '[it.life,it.progress,it.eventsVerified,it.eventsWanted,it.failed].join(" ")' <"$work/shown" &&
    is '600 600 600' 'it.steps.slice(0,3).map(s=>s.eventsVerified).join(" ")' <"$work/shown" &&
    is true 'const [,,m,u,n,p]=it.steps.map(s=>s.eventsVerified); u>50 && u<m && n===u && p===u' <"$work/shown"
}
# Where the jobs of a step ended well: asked job by job.
where() { # step, places
  local file
  for file in $(kumi data ls "user.admin:$name.$1" --json | js 'it.map(f=>f.scope+":"+f.name).join(" ")'); do
    kumi lineage "$file" --json | js 'it.madeBy.site'
  done | sort -u | paste -sd' ' >"$work/sites"
  cat "$work/sites"
  [ "$(cat "$work/sites")" = "$2" ]
}
two_copies() {
  local block
  for block in $(js 'it.steps.slice(1).flatMap(s=>s.blocks.map(b=>b.name)).join(" ")' <"$work/shown"); do
    until_true 120 rule_ok "user.admin:$block" || return 1
  done
}
rule_ok() { kumi rule ls "$1" --json | is 'OK 2' '[...new Set(it.map(r=>r.state+" "+r.copies))].join()'; }
storages() { # every file at two storages that exist
  local step
  for step in raw mdst udst ntuple plot; do
    kumi data ls "user.admin:$name.$step" --json >"$work/files" && is true 'it.length > 0' <"$work/files" || return 1
  done
}
picture() {
  local plot
  plot=$(kumi data ls "user.admin:$name.plot" --json | js 'it[0].scope+":"+it[0].name')
  kumi data get "$plot" --dir "$work/plot" --quiet && grep -rq "$(js 'it.steps[5].eventsVerified' <"$work/shown") pairs" "$work/plot" &&
    grep -rqE 'mass 3(0[5-9][0-9]|1[0-4][0-9])\.' "$work/plot" && grep -rq 'runs 1, 2, 3' "$work/plot"
}

check 'a Slurm cluster starts, and is a site' nagoya
check 'an ARC computing element starts, and is another' geneva
check 'Slurm runs a job' works nagoya
check 'ARC runs a job' works geneva
check 'the production is written, each of its steps for one of three places' prepare
check 'it runs from collisions to the plot' production
check 'every level has exactly its events, and no job was lost' exact
check 'the raw data was made by ARC' where raw geneva
check 'the reconstruction ran at the demo site' where mdst "$site"
check 'the selection ran at the Slurm cluster' where udst nagoya
check 'the ntuple was made by ARC' where ntuple geneva
check 'everything is registered' storages
check 'everything has two copies' two_copies
check 'the plot shows every pair, and the J/psi where it is' picture
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

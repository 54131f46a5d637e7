#!/usr/bin/env bash
# Productions from end to end on the demo sites: definitions with mistakes, scouts, holding, killing, retrying, extending,
# trouble, a second production that takes what the first made, exact numbers of events, copies at destinations, lineage.
# Takes its world from `kumi env`; its programs need curl.
set -uo pipefail
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}" "${KUMI_HOME:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tag=P$$
gate=gate-$$.example.org
door=http://localhost:${KUMI_SERVER##*:}/cvmfs/$gate/.cvmfspublished
. "$root/test/clients/checks.sh"
shown() { kumi prod show "$1" --json; }
shows() { shown "$1" | is "$2" "$3"; } # production, expected, expression
jobs_are() { # production, counts by state such as Waiting:3; those that are held are so by their detail
  kumi job ls --limit 500 --json | is "$2" "Object.entries(it.filter(j=>j.JobName.startsWith('$1.')).map(j=>/^Held/.test(j.MinorStatus)?'Held':j.Status)
    .reduce((n,s)=>({...n,[s]:(n[s]??0)+1}),{})).map(e=>e.join(':')).sort().join(' ')"
}

cat >"$work/simulate.sh" <<'END'
#!/bin/sh
# experiment run events seed
for i in $(seq "$3"); do echo "$1 $2 $4 $i"; done >mdst.txt
echo "{\"events\": $3, \"seed\": $4}" >kumi-metadata.json
END
cat >"$work/merge.sh" <<'END'
#!/bin/sh
while read -r file; do cat "$file"; done <"$KUMI_INPUT_LIST" >merged.txt
echo "{\"events\": $(wc -l <merged.txt)}" >kumi-metadata.json
END
cat >"$work/select.sh" <<'END'
#!/bin/sh
while read -r file; do cat "$file"; done <"$KUMI_INPUT_LIST" | awk '$4 % 2 == 0' >selected.txt
echo "{\"events\": $(wc -l <selected.txt)}" >kumi-metadata.json
END
cat >"$work/gate.sh" <<END
#!/bin/sh
curl -sf "$door" >/dev/null || exit 3
exec ./simulate.sh "\$@"
END
cat >"$work/liar.sh" <<'END'
#!/bin/sh
echo nothing >mdst.txt
echo "{\"events\": $(($3 - 1))}" >kumi-metadata.json
END
head_of() { # name, scouts
  cat <<END
production: $1
scope: user.admin
release: release-08
conditions: mc_16
campaign: $tag
energy: 4S
scouts: $2
destinations:
  - {storages: KEK-DISK, share: 2}
  - {storages: CHICAGO-DISK, share: 1}
steps:
END
}
generate_step() { # program, further lines
  cat <<END
  - name: simulate
    kind: generate
    program: $1
    files: [$1, simulate.sh]
    arguments: ["%(experiment)s", "%(run)s", "%(events)s", "%(seed)s"]
    eventsPerJob: 20
    output: mdst.txt
    time: 300
    disk: 1024
END
  [ $# -lt 2 ] || printf '    %s\n' "${@:2}"
}
{
  head_of "$tag-mc" 2
  generate_step simulate.sh 'keep: no'
  cat <<END
  - name: merge
    kind: standard
    filesPerJob: 4
    readFromAfar: yes
    program: merge.sh
    files: [merge.sh]
    output: merged.txt
    events: exact
    time: 300
    disk: 1024
cells:
  - [26, 101-103, 40]
END
} >"$work/mc.yaml"
printf 'cells:\n  - [26, 101-103, 60]\n  - [26, 104, 25]\n' >"$work/more.yaml"
{ head_of "$tag-gate" 1; generate_step gate.sh; printf 'cells:\n  - [26, 1, 20]\n  - [26, 2, 7]\n'; } >"$work/gate.yaml"
{ head_of "$tag-liar" 1; generate_step liar.sh; printf 'cells:\n  - [26, 1, 20]\n'; } >"$work/liar.yaml"
{ head_of "$tag-stuck" 0; generate_step simulate.sh 'sites: [mars]'; printf 'cells:\n  - [26, 1-3, 20]\n'; } >"$work/stuck.yaml"
{
  head_of "$tag-ana" 0
  cat <<END
  - name: select
    kind: by_run
    input: {scope: user.admin, where: {campaign: $tag, step: merge}}
    filesPerJob: 2
    readFromAfar: yes
    program: select.sh
    files: [select.sh]
    output: selected.txt
    events: fewer
    waitSeconds: 5
    time: 300
    disk: 1024
END
} >"$work/ana.yaml"
sed 's/eventsPerJob: 20/eventsPerJob: many/; s/kind: standard/kind: sideways/' "$work/mc.yaml" >"$work/bad.yaml"

started() { kumi prod define "$work/$1.yaml" && kumi prod validate "$tag-$1" && kumi prod start "$tag-$1"; }
mistakes() {
  refused 'line 17, steps\[0\]\.eventsPerJob: "many" is no whole number' kumi prod define "$work/bad.yaml" &&
    grep -qE 'line 23, steps\[1\]\.kind: "sideways" is none of' "$work/said"
}
only_checked() { kumi prod define --check "$work/mc.yaml" && refused 'There is no production' kumi prod show "$tag-mc"; }
unvalidated() {
  kumi prod define "$work/mc.yaml" && refused 'unchecked; somebody must validate it' kumi prod start "$tag-mc"
}
held() {
  until_true 60 jobs_are "$tag-stuck" Waiting:3 && kumi prod hold "$tag-stuck" --why 'no beam' &&
    jobs_are "$tag-stuck" Held:3 && shows "$tag-stuck" 'held no beam' 'it.operation+" "+it.reason'
}
goes_on() { kumi prod start "$tag-stuck" && jobs_are "$tag-stuck" Waiting:3; }
killed() {
  local job
  job=$(kumi prod show "$tag-stuck" --tasks submitted --json | js 'it.tasks[0].job') && kumi job kill "$job" &&
    until_true 60 shows "$tag-stuck" 'killed:1 2' 'it.steps[0].failures.map(f=>f.failure+":"+f.tasks)+" "+it.steps[0].waiting'
}
retried() {
  kumi prod retry "$tag-stuck" && until_true 60 jobs_are "$tag-stuck" 'Killed:1 Waiting:3' &&
    shows "$tag-stuck" '3 4 0' '[it.steps[0].waiting,it.steps[0].jobs,it.failed].join(" ")'
}
cancelled() {
  kumi prod cancel "$tag-stuck" && jobs_are "$tag-stuck" Killed:4 && shows "$tag-stuck" cancelled it.life &&
    refused 'is cancelled' kumi prod start "$tag-stuck"
}
extended() {
  kumi prod extend "$tag-mc" "$work/more.yaml" && kumi prod extend "$tag-mc" "$work/more.yaml" | grep -q 'Nothing is new' &&
    refused 'has 60 events already' kumi prod extend "$tag-mc" "$work/mc.yaml"
}
exact() {
  kumi prod show "$tag-mc" --wait && shown "$tag-mc" >"$work/mc.json" &&
    is 'completed normal 1 205 205 0' '[it.life,it.operation,it.progress,it.eventsVerified,it.eventsWanted,it.failed].join(" ")' <"$work/mc.json" &&
    is '11 11 205' '[it.steps[0].tasks,it.steps[0].verified,it.steps[0].eventsVerified].join(" ")' <"$work/mc.json" &&
    is '11 11 205' '[it.steps[1].inputs,it.steps[1].inputsTaken,it.steps[1].eventsVerified].join(" ")' <"$work/mc.json"
}
scouts() {
  kumi prod show "$tag-mc" --tasks verified --json >"$work/tasks.json" &&
    is 2 'it.tasks.filter(t=>t.scout).length' <"$work/tasks.json" &&
    is true 'const s=it.tasks.filter(t=>t.step==="simulate"), m=Math.max(...s.filter(t=>t.scout).map(t=>t.job)); s.filter(t=>!t.scout).every(t=>t.job>m)' <"$work/tasks.json"
}
# What the catalogue has of a step: as many events as in the files themselves, none of them twice.
in_catalogue() { # production, step, events
  local events=0 name
  kumi data find "production=$1" "step=$2" --scope user.admin --type file --json >"$work/found" || return 1
  rm -rf "$work/got" && kumi data get "user.admin:$1.$2" --dir "$work/got" --quiet || return 1
  for name in $(js 'it.map(d=>d.name).join(" ")' <"$work/found"); do
    events=$((events + $(kumi data show "user.admin:$name" --json | js 'it.meta.events')))
  done
  find "$work/got" -type f ! -name '*.part' -exec cat {} + >"$work/lines"
  echo "$events events in the catalogue, $(wc -l <"$work/lines") in the files"
  [ "$events" = "$3" ] && [ "$(wc -l <"$work/lines")" = "$3" ] && [ "$(sort -u "$work/lines" | wc -l)" = "$3" ]
}
no_intermediates() { until_true 60 gone; }
gone() { kumi data find "production=$tag-mc" step=simulate --scope user.admin --type file --json | is 0 it.length; }
placed() { # every block has its rule, and every rule its copies
  local block
  for block in $(js 'it.steps[1].blocks.map(b=>b.name).join(" ")' <"$work/mc.json"); do
    until_true 60 rule_ok "user.admin:$block" || return 1
  done
  js 'it.steps[1].blocks.map(b=>b.destination+":"+b.files).join(" ")' <"$work/mc.json"
}
rule_ok() { kumi rule ls "$1" --json | is 'OK' '[...new Set(it.map(r=>r.state))].join()'; }
finished() {
  kumi prod finish "$tag-ana" && kumi prod show "$tag-ana" --wait &&
    shows "$tag-ana" 'completed 102' '[it.life,it.steps[0].eventsVerified].join(" ")'
}
lineage() {
  local file
  file=$(js 'it[0].name' <"$work/found") && kumi lineage "user.admin:$file" && kumi lineage "user.admin:$file" --json >"$work/lineage" &&
    is true 'it.production.step==="select" && it.inputs.every(i=>i.kept && i.production.step==="merge")' <"$work/lineage" &&
    is true 'it.inputs.every(i=>i.inputs.length>0 && i.inputs.every(g=>!g.kept && g.production.seed>0 && g.production.run>=101 && g.production.run<=104))' <"$work/lineage" &&
    is true 'it.inputs.every(i=>i.production.events===i.inputs.reduce((n,g)=>n+g.production.events,0))' <"$work/lineage"
}
in_trouble() { # production, text
  until_true 120 shows "$1" troubled it.operation && shows "$1" true "/$2/.test(it.reason)"
}
liar() {
  in_trouble "$tag-liar" 'scouts failed.*Wrong output: 19 events, where 20 were to be there' &&
    shows "$tag-liar" '5 5 0' '[it.steps[0].jobs,it.steps[0].jobsFailed,it.steps[0].verified].join(" ")' &&
    kumi data find "production=$tag-liar" --scope user.admin --type file --json | is 0 it.length && kumi prod cancel "$tag-liar"
}
mended() {
  in_trouble "$tag-gate" 'scouts failed.*exit code 3' && kumi software create "$gate" && kumi prod retry "$tag-gate" &&
    kumi prod show "$tag-gate" --wait &&
    shows "$tag-gate" 'completed 27 2 7 5' '[it.life,it.eventsVerified,it.verified,it.steps[0].jobs,it.steps[0].jobsFailed].join(" ")'
}

kumi data ls >/dev/null
check 'mistakes are told at once, with line and field' mistakes
check 'a definition may only be checked' only_checked
check 'nothing starts before somebody validated it' unvalidated
check 'productions start' eval 'started gate && started liar && started ana && started stuck'
check 'a production of cells starts' eval 'kumi prod validate "$tag-mc" && kumi prod start "$tag-mc"'
check 'holding holds every job' held
check 'and going on lets them wait again' goes_on
check 'a killed job fails its task, once' killed
check 'a retry gives the task a new job' retried
check 'cancelling ends all jobs for good' cancelled
check 'extending twice is extending once, and never less' extended
check 'a production completes with exactly the events that were asked for' exact
check 'scouts went first, alone' scouts
check 'the merged files hold these events, each once' in_catalogue "$tag-mc" merge 205
check 'intermediates are gone from the catalogue' no_intermediates
check 'the files are where they belong' placed
check 'a production of files that appear is finished by order' finished
check 'and selected exactly what it should' in_catalogue "$tag-ana" select 102
check 'a file leads back through merged and given-up files to seeds and runs' lineage
check 'what is not what was asked for is refused, and stops the production' liar
check 'a production in trouble goes on when the cause is mended' mended
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

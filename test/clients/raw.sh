#!/usr/bin/env bash
# Raw data on the demo sites, from a detector's disk to its release: declared, sent, landed wrong and sent again, archived
# at storage of the class TAPE, copied to a second site, rotten and mended, released, deleted here; nothing before its time.
# Takes its world from `kumi env`; the storages that it adds lie at the gateways of the demo sites.
set -uo pipefail
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}" "${KUMI_HOME:?}" "${KUMI_CA:?}" "${BEARER_TOKEN_FILE:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/test/clients/checks.sh"
tag=$((RANDOM % 9000 + 1000))
tape=KEK-TAPE-$tag
run=$tag
rucio() { # METHOD PATH BODY
  curl -sSf --cacert "$KUMI_CA" -X "$1" -H "X-Rucio-Auth-Token: $(cat "$BEARER_TOKEN_FILE")" --data-binary "$3" \
    -H 'Content-Type: application/json' "$KUMI_SERVER/rucio$2"
}
tape_storage() {
  local port
  port=$(kumi rse show KEK-DISK --json | js 'it.protocols[0].port')
  rucio POST "/rses/$tape" '{"deterministic": true, "rse_type": "TAPE"}' &&
    rucio POST "/rses/$tape/attr/site" '{"value": "kek"}' &&
    rucio POST "/rses/$tape/protocols/https" '{"hostname": "localhost", "port": '"$port"', "prefix": "/demo/tape'"$tag"'/",
      "impl": "rucio.rse.protocols.webdav.Default", "domains": {"lan": {"read": 1, "write": 1, "delete": 1},
      "wan": {"read": 1, "write": 1, "delete": 1, "third_party_copy_read": 1, "third_party_copy_write": 1}}}'
}
run_is() { kumi raw show 26 "$run" --json | is "$1" "$2"; } # expected, expression
here() { [ "$(find "$work/daq" -type f | wc -l)" -eq "$1" ]; }

check "a storage of the class TAPE at a site" tape_storage
check "a scope for raw data" rucio POST "/accounts/admin/scopes/raw.$tag" '{}'
check "an archive on disk is none" refused "to be on tape" \
  kumi raw flow "flow$tag" --scope "raw.$tag" --landing KEK-DISK --archive KEK-DISK --centre CHICAGO-DISK=1
check "a centre at the site of the archive is none" refused "another site" \
  kumi raw flow "flow$tag" --scope "raw.$tag" --landing KEK-DISK --archive "$tape" --centre KEK-DISK=1
check "a flow" kumi raw flow "flow$tag" --scope "raw.$tag" --landing KEK-DISK --archive "$tape" --centre CHICAGO-DISK=1
mkdir "$work/daq"
for i in 1 2 3; do head -c $((i * 10000)) /dev/urandom >"$work/daq/f$i.$tag.dat"; done
check "two files are declared" \
  kumi raw declare 26 "$run" "$work/daq/f1.$tag.dat" "$work/daq/f2.$tag.dat" --flow "flow$tag" --events 100
check "nothing may go that was only declared" refused "not landed as it was recorded" kumi raw release 26 "$run" --remove "$work/daq"
check "nothing went" here 3
check "another declaration of the same name is refused" refused "declared before with events 100" \
  kumi raw declare 26 "$run" "$work/daq/f1.$tag.dat" --flow "flow$tag" --events 99
check "three are sent, two of them known" kumi raw declare 26 "$run" "$work/daq" --flow "flow$tag" --events 100 --send
check "they land, are compared, registered and archived" until_true 90 run_is 3 \
  "it.states.filter(s=>['archived','second_copy'].includes(s.state)).reduce((n,s)=>n+s.files,0)"
check "before the run is counted nothing may go" until_true 60 run_is 3 "it.states.find(s=>s.state==='second_copy').files"
check "not even then" refused "how many files the run has" kumi raw release 26 "$run" --remove "$work/daq"
check "the data acquisition counts three" kumi raw declare 26 "$run" --total 3
check "a fourth is too much" refused "would make 4" \
  bash -c 'echo more >"$1/f4.dat"; "${@:2}"' - "$work" node "$root/dist/src/cli/main.js" raw declare 26 "$run" "$work/f4.dat" --events 1
check "they may be released" until_true 60 run_is 3 "it.states.find(s=>s.state==='releasable').files"
check "each has a verified copy on tape and at a second site" run_is true \
  "it.fileList.every(f=>f.copies.some(c=>c.tape&&c.available&&c.verifiedAt)&&f.copies.some(c=>c.site==='chicago'&&c.available&&c.verifiedAt))"
echo changed >"$work/daq/f2.$tag.dat"
check "what is another file by now is left where it is" refused "not what was declared" kumi raw release 26 "$run" --remove "$work/daq"
check "the others were deleted" here 1
check "the run is released" run_is released it.state
check "its dataset can be found by its run" bash -c '"${@:2}" | grep -q "f1.$1.dat"' - "$tag" \
  node "$root/dist/src/cli/main.js" data find "run=$run" level=raw --scope "raw.$tag"
check "flows tell how long it took" bash -c '"$@" | grep -q "p95 of the last day.*releasable"' - \
  node "$root/dist/src/cli/main.js" raw flow "flow$tag"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Uploads that cannot end well, by the clients people use: onto a full disk, and cut off in the middle. Each must be told
# clearly, leave no temporary file and no file, and nothing that the catalogue shows as there.
# Takes its world from `kumi env`. One site gets a small disk of its own for as long as this runs: root must mount it.
set -uo pipefail
: "${KUMI_HOME:?}" "${KUMI_SERVER:?}" "${KUMI_CA:?}" "${KUMI_KEK:?}" "${KUMI_CHICAGO:?}" "${RUCIO_CONFIG:?}"
: "${BEARER_TOKEN_FILE:?}" "${X509_CERT_DIR:?}"
if [ "$(id -u)" != 0 ]; then
  echo "FAIL - uploads onto a full disk were not tried: only root may mount a small disk. Run as root, or name the other"
  echo "       scripts in CLIENTS."
  echo "0 passed, 1 failed"
  exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
kumi=$here/../../kumi
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
export GFAL_PYTHONBIN=/usr/bin/python3 BEARER_TOKEN
BEARER_TOKEN=$(cat "$BEARER_TOKEN_FILE")
bearer="Authorization: Bearer $BEARER_TOKEN"
work=$(mktemp -d)
. "$here/checks.sh"
dir=full-$$ scope=full.$(date +%s)
small=$KUMI_HOME/sites/chicago/storage/demo   # the area on the small disk
ample=$KUMI_HOME/sites/kek/storage/demo       # the area with room
background=

web() { curl -sS --fail-with-body --cacert "$KUMI_CA" -H "$bearer" "$@"; }
status() { curl -s --cacert "$KUMI_CA" -H "$bearer" -o /dev/null -w '%{http_code}' "$@"; }
ask() { # METHOD PATH [BODY] at the Rucio door
  local body=()
  [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' --data-binary "$3")
  curl -sS --cacert "$KUMI_CA" -H "X-Rucio-Auth-Token: $BEARER_TOKEN" -X "$1" "${body[@]}" "$KUMI_SERVER/rucio$2"
}
# within SECONDS COMMAND…: the command succeeds before the time is over.
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.1
  done
}
# The gateway is the supervisor's child; killed, it comes back and makes its directories anew.
restart_chicago() {
  local old
  old=$(pgrep -f -- "--config $KUMI_HOME/sites/chicago/gateway.json")
  kill -9 "$old" && within 60 back "$old"
}
back() { pgrep -f -- "--config $KUMI_HOME/sites/chicago/gateway.json" | grep -qvx "$1" && [ "$(status "${KUMI_CHICAGO%/*}/healthz")" = 200 ]; }
finish() {
  [ -z "$background" ] || kill -9 "$background" 2>/dev/null
  if mountpoint -q "$small"; then
    umount -l "$small"
    restart_chicago
  fi
  rm -rf "$work"
}
trap finish EXIT

# complains PATTERN COMMAND…: the command says so; whether it also fails depends on the client.
complains() {
  local pattern=$1
  shift
  "$@" 2>&1 | tee "$work/said"
  grep -qiE -- "$pattern" "$work/said"
}
fails() { ! "$@"; }
nothing_at() { test "$(status -I "$1")" = 404; }
nothing_unfinished() { test -z "$(ls "$1/.kumi/incoming")"; }
# as_before AREA: neither a temporary file nor any other that was not there when `remember` was called.
remember() { find "$1" -type f -not -path '*/.kumi/digests/*' | sort >"$work/before"; }
as_before() { find "$1" -type f -not -path '*/.kumi/digests/*' | sort | diff "$work/before" -; }
# not_there NAME: the catalogue has no copy that anybody could read, and no rule waits for nothing.
not_there() {
  local copies
  copies=$(ask POST /replicas/list "{\"dids\":[{\"scope\":\"$scope\",\"name\":\"$1\"}],\"schemes\":[\"https\"]}")
  echo "$copies"
  ! grep -q '"pfns": *{ *"' <<<"$copies"
}
unknown() { ask GET "/dids/$scope/$1" | tee "$work/said" | grep -q DataIdentifierNotFound; }

head -c 30000000 /dev/urandom >"$work/large"
head -c 1000000 /dev/urandom >"$work/fits"
truncate -s 400000000 "$work/endless"
ask POST "/accounts/admin/scopes/$scope" >/dev/null
rucio=$cache/rucio-41/bin/rucio
if [ ! -x "$rucio" ]; then
  python3 -m venv "$cache/rucio-41" && "$cache/rucio-41/bin/pip" install --quiet 'rucio-clients==41.*'
fi

mount -t tmpfs -o size=16m,mode=700 tmpfs "$small" && restart_chicago || {
  echo "FAIL - a small disk for a site"
  echo "0 passed, 1 failed"
  exit 1
}
remember "$small"

check "curl: a file that does not fit is refused with 507" test "$(status -T "$work/large" "$KUMI_CHICAGO/$dir/curl")" = 507
check "… and told why" complains 'storage is full' web -T "$work/large" "$KUMI_CHICAGO/$dir/curl"
check "… nothing is there" nothing_at "$KUMI_CHICAGO/$dir/curl"
check "… nor a temporary file" as_before "$small"
check "gfal-copy: fails" fails gfal-copy "file://$work/large" "$KUMI_CHICAGO/$dir/gfal"
check "… and tells why" complains '507|insufficient storage|storage is full|no space' gfal-copy "file://$work/large" "$KUMI_CHICAGO/$dir/gfal"
check "… nothing is there" nothing_at "$KUMI_CHICAGO/$dir/gfal"
check "… nor a temporary file" as_before "$small"
check "rclone: fails" fails rclone --config /dev/null --ca-cert "$KUMI_CA" --retries 1 --low-level-retries 1 \
  --webdav-url "$KUMI_CHICAGO" --webdav-bearer-token "$BEARER_TOKEN" copyto "$work/large" ":webdav:$dir/rclone"
check "… nothing is there" nothing_at "$KUMI_CHICAGO/$dir/rclone"
check "… nor a temporary file" as_before "$small"
check "rucio upload: says that nothing was uploaded" complains 'full|507|no files (uploaded|successfully)|not.*uploaded' \
  "$rucio" upload --rse CHICAGO-DISK --scope "$scope" --name rucio.before "$work/large"
check "… the catalogue shows no copy" not_there rucio.before
check "rucio upload, registering afterwards: says so" complains 'full|507|no files (uploaded|successfully)|not.*uploaded' \
  "$rucio" upload --register-after-upload --rse CHICAGO-DISK --scope "$scope" --name rucio.after "$work/large"
check "… the catalogue has not heard of it" unknown rucio.after
check "… no temporary file" as_before "$small"
check "kumi data put: fails and tells why" complains 'full' fails "$kumi" data put "$work/large" --rse CHICAGO-DISK --scope "$scope"
check "… the catalogue has not heard of it" unknown large
check "… no temporary file" as_before "$small"

check "kumi data put: the same file fits elsewhere" "$kumi" data put "$work/large" --rse KEK-DISK --scope "$scope"
rule=$(ask POST /rules/ "{\"dids\":[{\"scope\":\"$scope\",\"name\":\"large\"}],\"copies\":1,\"rse_expression\":\"CHICAGO-DISK\",\"account\":\"admin\"}" | tr -d '[]"\n ')
stuck() { ask GET "/rules/$rule" | tee "$work/said" | grep -q '"state": *"STUCK"' && grep -q 'storage is full' "$work/said"; }
check "a rule that wants it on the full disk is stuck and tells why" within 30 stuck
check "… no temporary file" as_before "$small"
ask DELETE "/rules/$rule" >/dev/null
check "a file that fits is stored there all the same" web -T "$work/fits" "$KUMI_CHICAGO/$dir/fits"
check "… every byte" bash -c 'curl -sS --cacert "$0" -H "$1" "$2" | cmp - "$3"' "$KUMI_CA" "$bearer" "$KUMI_CHICAGO/$dir/fits" "$work/fits"

# cut_off NAME COMMAND…: starts an upload to the site with room and kills it when its first bytes are on disk.
arriving() { test -n "$(find "$ample/.kumi/incoming" -type f -size +0 2>/dev/null)"; }
cut_off() {
  local name=$1
  shift
  remember "$ample"
  setsid "$@" >"$work/out" 2>&1 &
  background=$!
  check "$name: its bytes arrive" within 60 arriving
  kill -9 -- "-$background"
  wait "$background" 2>/dev/null
  background=
  check "… killed in the middle, no temporary file stays" within 30 nothing_unfinished "$ample"
  check "… and no other" as_before "$ample"
}
cut_off curl curl -sS --limit-rate 4M --cacert "$KUMI_CA" -H "$bearer" -T "$work/endless" "$KUMI_KEK/$dir/curl"
check "… nothing is there" nothing_at "$KUMI_KEK/$dir/curl"
cut_off gfal-copy gfal-copy "file://$work/endless" "$KUMI_KEK/$dir/gfal"
check "… nothing is there" nothing_at "$KUMI_KEK/$dir/gfal"
cut_off "rucio upload" "$rucio" upload --rse KEK-DISK --scope "$scope" --name rucio.cut "$work/endless"
check "… the catalogue shows no copy" not_there rucio.cut
cut_off "kumi data put" "$kumi" data put "$work/endless" --rse KEK-DISK --scope "$scope"
check "… the catalogue shows no copy" not_there endless
check "kumi data put: again, to its end" "$kumi" data put "$work/endless" --rse KEK-DISK --scope "$scope"
check "… a copy is there" fails not_there endless
web -X DELETE "$KUMI_KEK/$dir" >/dev/null 2>&1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

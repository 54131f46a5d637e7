#!/usr/bin/env bash
# Bad input at the data management door: each a clear error in the client's own wire, and nothing half done.
# Takes its world from `kumi env`; asks with curl, and with the field's client where that says more.
set -uo pipefail
: "${KUMI_HOME:?}" "${KUMI_SERVER:?}" "${KUMI_CA:?}" "${KUMI_KEK:?}" "${BEARER_TOKEN_FILE:?}" "${RUCIO_CONFIG:?}"
here=$(cd "$(dirname "$0")" && pwd)
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
token=$(cat "$BEARER_TOKEN_FILE")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
scope=bad.$(date +%s)
door=$KUMI_SERVER/rucio

result() { # ok?, name, more
  if [ "$1" = yes ]; then
    passed=$((passed + 1))
    echo "ok - $2"
  else
    failed=$((failed + 1))
    echo "FAIL - $2"
    echo "    $3"
  fi
}
# ask METHOD PATH [BODY]: leaves $status, $class and $said; a body of @file is read from there.
ask() {
  local body=()
  [ $# -lt 3 ] || body=(--data-binary "$3" -H 'Content-Type:')
  status=$(curl -sS --path-as-is --cacert "$KUMI_CA" -X "$1" -H "X-Rucio-Auth-Token: $token" "${body[@]}" \
    -o "$work/body" -D "$work/headers" -w '%{http_code}' "$door$2")
  class=$(tr -d '\r' <"$work/headers" | sed -n 's/^exceptionclass: //Ip')
  said=$(head -c 400 "$work/body" | tr -d '\0')
}
# refused NAME STATUS CLASS METHOD PATH [BODY]: exactly this answer, with a message that the class alone does not give.
refused() {
  local name=$1 want="$2 $3"
  shift 3
  ask "$@"
  if [ "$status $class" = "$want" ] && grep -q '"ExceptionMessage":".\{10\}' "$work/body"; then
    result yes "$name"
  else
    result no "$name" "wanted $want, got $status $class: $said"
  fi
}
done_well() { # NAME METHOD PATH [BODY]
  local name=$1
  shift
  ask "$@"
  case $status in 2*) result yes "$name" ;; *) result no "$name" "$status $class: $said" ;; esac
}
# holds NAME PATTERN METHOD PATH: the answer has the pattern (with ! before it: has not).
holds() {
  local name=$1 pattern=$2
  shift 2
  ask "$@"
  case $pattern in
    !*) if grep -q -- "${pattern#!}" "$work/body"; then result no "$name" "$said"; else result yes "$name"; fi ;;
    *) if grep -q -- "$pattern" "$work/body"; then result yes "$name"; else result no "$name" "$status $said"; fi ;;
  esac
}
repeated() { printf "%${2}s" '' | tr ' ' "$1"; }
file() { echo "{\"scope\":\"$scope\",\"name\":\"$1\",\"bytes\":${2:-4},\"adler32\":\"${3:-00000001}\",\"state\":\"${4:-A}\"}"; }
did() { echo "{\"scope\":\"$scope\",\"name\":\"$1\"}"; }
pool=BAD-INPUT-$$

done_well "a scope to try in" POST "/accounts/admin/scopes/$scope"
done_well "an RSE without a door to try with" POST "/rses/$pool" '{"deterministic": true}'
done_well "a file there" POST /replicas "{\"rse\":\"$pool\",\"files\":[$(file good)]}"
done_well "a dataset" POST "/dids/$scope/set" '{"type":"DATASET"}'

refused "unknown RSE: copies" 404 RSENotFound POST /replicas "{\"rse\":\"NOWHERE\",\"files\":[$(file lost)]}"
refused "… and no file was made" 404 DataIdentifierNotFound GET "/dids/$scope/lost"
refused "unknown RSE: its settings" 404 RSENotFound GET /rses/NOWHERE
rule() { echo "{\"dids\":[$(did "$1")],\"copies\":${3:-1},\"rse_expression\":\"$2\",\"account\":\"admin\"}"; }
refused "unknown RSE: a rule" 400 InvalidRSEExpression POST /rules/ "$(rule set NOWHERE)"
refused "expression with no match: a rule" 400 InvalidRSEExpression POST /rules/ "$(rule set 'country=XX')"
refused "expression with no match: a list" 400 InvalidRSEExpression GET '/rses/?expression=country%3DXX'
refused "expression that is none" 400 InvalidRSEExpression POST /rules/ "$(rule set '((KEK-DISK')"
refused "more copies than storages" 409 InsufficientTargetRSEs POST /rules/ "$(rule set KEK-DISK 5)"
refused "a rule on nothing" 404 DataIdentifierNotFound POST /rules/ "$(rule nothing KEK-DISK)"
holds "… and no rule was made" '!.' GET "/dids/$scope/set/rules"

refused "known file with another checksum" 412 FileConsistencyMismatch \
  POST /replicas "{\"rse\":\"$pool\",\"files\":[$(file fresh),$(file good 4 00000002)]}"
refused "… and its neighbour was not made" 404 DataIdentifierNotFound GET "/dids/$scope/fresh"
refused "known file with another size" 412 FileConsistencyMismatch \
  POST "/dids/$scope/set/dids" "{\"dids\":[$(file good 5)]}"
refused "a copy said to be at a site where it is not" 412 FileConsistencyMismatch \
  POST /replicas "{\"rse\":\"KEK-DISK\",\"files\":[$(file absent)]}"
refused "… also while attaching" 412 FileConsistencyMismatch \
  POST "/dids/$scope/set/dids" "{\"rse\":\"KEK-DISK\",\"dids\":[$(file absent)]}"
refused "… and no file was made" 404 DataIdentifierNotFound GET "/dids/$scope/absent"
refused "checksum that is none" 400 InputValidationError POST /replicas "{\"rse\":\"$pool\",\"files\":[$(file odd 4 xyz)]}"

for bad in "../../etc/passwd" "a/../b" "a\\u0000b" "$(repeated n 300)" "" ".hidden" "a b\\n"; do
  shown=$(printf '%.24s' "$bad")
  refused "name '$shown': copies" 400 InputValidationError POST /replicas "{\"rse\":\"$pool\",\"files\":[$(file fine),$(file "$bad")]}"
  refused "name '$shown': nothing was made" 404 DataIdentifierNotFound GET "/dids/$scope/fine"
done
refused "dataset named a/../b" 400 InputValidationError POST "/dids/$scope/a%2F..%2Fb" '{"type":"DATASET"}'
refused "dataset named with NUL" 400 InputValidationError POST "/dids/$scope/a%00b" '{"type":"DATASET"}'
refused "dataset with 300 characters" 400 InputValidationError POST "/dids/$scope/$(repeated n 300)" '{"type":"DATASET"}'
refused "looking up a name with NUL" 400 InputValidationError GET "/dids/$scope/a%00b"
refused "looking up 300 characters" 404 DataIdentifierNotFound GET "/dids/$scope/$(repeated n 300)"
refused "scope with 300 characters" 400 InputValidationError POST "/accounts/admin/scopes/$(repeated s 300)"
refused "scope with NUL" 400 InputValidationError POST "/accounts/admin/scopes/a%00b"
refused "metadata with NUL" 400 InputValidationError POST "/dids/$scope/set/meta/key" '{"value":"a\u0000b"}'
refused "a body that is no JSON" 400 InputValidationError POST /replicas '{"rse":'
refused "a body of another shape" 400 InputValidationError POST /replicas '[1]'
refused "a filter that is none" 400 DIDFilterSyntaxError GET "/dids/$scope/dids/search?type=all&filters=__import__('os')"
refused "a path there is not" 404 RucioException GET /no/such/path
refused "another method" 404 RucioException PUT /ping

good=$token
expired=$(node "$here/token.mjs" expired) elsewhere=$(node "$here/token.mjs" elsewhere)
[ -n "$expired" ] && [ -n "$elsewhere" ] || result no "tokens to try with" "none were made"
token=$expired
refused "expired token" 401 CannotAuthenticate GET /accounts/whoami
refused "… cannot write either" 401 CannotAuthenticate POST "/dids/$scope/late" '{"type":"DATASET"}'
token=$elsewhere
refused "token for another audience" 401 CannotAuthenticate GET /accounts/whoami
token=${good%??????}AAAAAA
refused "token with a false signature" 401 CannotAuthenticate GET /accounts/whoami
token=nonsense
refused "token that is none" 401 CannotAuthenticate GET /accounts/whoami
token=$good
refused "no dataset was made by any of them" 404 DataIdentifierNotFound GET "/dids/$scope/late"
at_gateway() { curl -s --cacert "$KUMI_CA" -H "Authorization: Bearer $1" -o "$work/body" -w '%{http_code}' "$KUMI_KEK/"; }
for kind in expired elsewhere; do
  status=$(at_gateway "${!kind}")
  if [ "$status" = 401 ]; then result yes "gateway refuses the $kind token"; else result no "gateway refuses the $kind token" "$status"; fi
done

done_well "a rule that protects the file" POST /rules/ "$(rule good "$pool")"
refused "deleting a protected copy" 423 ReplicaIsLocked DELETE /replicas "{\"rse\":\"$pool\",\"files\":[$(file good)]}"
refused "entombing a protected copy" 423 ReplicaIsLocked POST /replicas/tombstone "{\"replicas\":[{\"rse\":\"$pool\",\"scope\":\"$scope\",\"name\":\"good\"}]}"
refused "deleting a copy there is not" 404 ReplicaNotFound DELETE /replicas "{\"rse\":\"OSAKA-DISK\",\"files\":[$(file good)]}"

# A hundred thousand files, and one of them twice.
many() {
  python3 - "$scope" "$1" <<'PY'
import json, sys
scope, what = sys.argv[1:]
files = [{"scope": scope, "name": f"many/f{i:06}"} for i in range(100000)]
if what == "files":
    for i, f in enumerate(files): f.update(bytes=1000 + i, adler32=f"{i:08x}")
if what == "twice": files.append(files[77777])
print(json.dumps({"dids": files}) if what != "files" else json.dumps(files))
PY
}
{ echo "{\"rse\":\"$pool\",\"files\":$(many files)}"; } >"$work/many.json"
many twice >"$work/twice.json"
many once >"$work/once.json"
began=$(date +%s%N)
done_well "100,000 copies are registered in one call" POST /replicas "@$work/many.json"
echo "    $((100000 * 1000 / (($(date +%s%N) - began) / 1000000))) files/s"
refused "attaching them with one twice" 409 DuplicateContent POST "/dids/$scope/set/dids" "@$work/twice.json"
holds "… attaches none" '"length":0' GET "/dids/$scope/set"
done_well "attaching them once" POST "/dids/$scope/set/dids" "@$work/once.json"
holds "… attaches all" '"length":100000' GET "/dids/$scope/set?dynamic_depth=FILE"
refused "attaching one of them again with a new one" 409 DuplicateContent POST "/dids/$scope/set/dids" "{\"dids\":[$(did good),$(did many/f000007)]}"
holds "… does not attach the new one" '"length":100000' GET "/dids/$scope/set?dynamic_depth=FILE"

# The field's own client understands: it shows the message.
client=$cache/rucio-41/bin/rucio
if [ -x "$client" ]; then
  complains() { # NAME PATTERN COMMAND…
    local name=$1 pattern=$2
    shift 2
    # Its upload and its refused login end with 0.
    if "$client" "$@" >"$work/out" 2>&1 && [ "$1" != upload ] && [ "$1" != whoami ]; then
      result no "$name" "it succeeded: $(tail -3 "$work/out")"
    elif grep -qE -- "$pattern" "$work/out" && ! grep -qE 'Traceback|unexpected/unknown' "$work/out"; then
      result yes "$name"
    else
      result no "$name" "$(tail -5 "$work/out")"
    fi
  }
  head -c 300 /dev/urandom >"$work/up"
  complains "client: unknown RSE" 'RSE|resolve|NOWHERE' rse show NOWHERE
  complains "client: upload to an unknown RSE" 'RSE|expression' upload --rse NOWHERE --scope "$scope" "$work/up"
  complains "client: expression with no match" 'expression' rule add "$scope:set" --copies 1 --rses country=XX
  complains "client: unknown dataset" 'not found|does not exist' did show "$scope:nothing"
  complains "client: name with .." 'valid|name' did add --type dataset "$scope:a/../b"
  complains "client: 300 characters" 'valid|name|long' did add --type dataset "$scope:$(repeated n 300)"
  complains "client: attaching twice" 'already|attached' did content add --to-did "$scope:set" "$scope:many/f000007"
  mkdir -p "$work/home/etc"
  sed -e '/^username/d; /^password/d; /^auth_token_file_path/d' -e 's/^auth_type.*/auth_type = oidc/' "$RUCIO_CONFIG" >"$work/home/etc/rucio.cfg"
  echo "auth_token_file_path = $work/home/token" >>"$work/home/etc/rucio.cfg"
  unset BEARER_TOKEN_FILE
  export RUCIO_CONFIG=$work/home/etc/rucio.cfg
  for kind in expired elsewhere; do
    BEARER_TOKEN=${!kind}
    export BEARER_TOKEN
    complains "client: token that is $kind" 'uthenticat|token|expired|audience' whoami
  done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# The clients of VOMS, in C++ (voms-proxy-init2) and in Java (voms-proxy-init3), against the attribute authority, with
# people of a foreign certificate authority. Takes its world from `kumi env`: KUMI_SERVER, KUMI_CA, RUCIO_VO,
# BEARER_TOKEN_FILE, X509_CERT_DIR (which gets that authority), X509_VOMS_DIR, VOMS_USERCONF.
set -uo pipefail
: "${KUMI_SERVER:?}" "${KUMI_CA:?}" "${BEARER_TOKEN_FILE:?}" "${X509_CERT_DIR:?}" "${X509_VOMS_DIR:?}" "${VOMS_USERCONF:?}"
vo=${RUCIO_VO:?}
kumi=$(cd "$(dirname "$0")/../.." && pwd)/kumi
work=$(mktemp -d)
installed=()
trap 'rm -rf "$work" ${installed[@]+"${installed[@]}"}' EXIT
home=$HOME
export HOME=$work
touch "$HOME/.rnd"
. "$(dirname "$0")/checks.sh"
api() { # method, path, [body]
  local method=$1 path=$2
  shift 2
  curl -sS --fail-with-body --cacert "$KUMI_CA" -H "Authorization: Bearer $(cat "$BEARER_TOKEN_FILE")" \
    -H 'Content-Type: application/json' -X "$method" "$KUMI_SERVER$path" ${1+--data "$1"}
}
field() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# The people and their authority

authority=/DC=org/DC=example/CN=Test\ people
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out "$work/ca.pem" -days 10 -subj "$authority" \
  -addext keyUsage=critical,keyCertSign,cRLSign 2>"$work/out" || cat "$work/out"
for hash in subject_hash subject_hash_old; do
  base=$X509_CERT_DIR/$(openssl x509 -in "$work/ca.pem" -noout "-$hash")
  installed+=("$base.0" "$base.signing_policy")
  printf "access_id_CA X509 '%s'\npos_rights globus CA:sign\ncond_subjects globus '\"/DC=org/DC=example/*\"'\n" \
    "$authority" >"$base.signing_policy"
  cp "$work/ca.pem" "$base.0"
done
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n' >"$work/person.ext"

certificate() { # name
  openssl req -new -newkey rsa:2048 -nodes -keyout "$work/$1.key" -subj "/DC=org/DC=example/CN=$1" -out "$work/$1.csr" &&
    openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 5 \
      -extfile "$work/person.ext" -out "$work/$1.pem" && chmod 600 "$work/$1.key"
}
person() { # name: made with a certificate; prints the id
  certificate "$1" >"$work/out" 2>&1 || cat "$work/out" >&2
  api POST "/iam/$vo/scim/Users" "{\"userName\": \"$1\", \"emails\": [{\"value\": \"$1@example.org\", \"primary\": true}]}" | field id
  api POST "/rucio/accounts/$1/identities" "{\"identity\": \"/DC=org/DC=example/CN=$1\", \"authtype\": \"X509\"}" >"$work/out" ||
    cat "$work/out" >&2
}
sign() { api PATCH "/iam/$vo/iam/aup/signature/$1" "{}" >"$work/out" || cat "$work/out" >&2; }

api GET "/iam/$vo/iam/aup" >"$work/out" 2>&1 ||
  api POST "/iam/$vo/iam/aup" '{"text": "Be kind to the disks.", "signatureValidityInDays": 0}' >"$work/out"
# Whoever runs this has to have signed it, too.
api POST "/iam/$vo/iam/aup/signature" >"$work/out" || cat "$work/out"
n=$$
mika=mika$n
mika_id=$(person "$mika")
sign "$mika_id"
certificate "stranger$n" 2>"$work/out" >&2
group=$(api POST "/iam/$vo/iam/group" "{\"name\": \"voms$n\"}" | field id)
role=$(api POST "/iam/$vo/iam/group" "{\"name\": \"production\", \"parent\": {\"id\": \"$group\"}}" | field id)
api PUT "/iam/$vo/iam/group/$role/labels" '{"name": "voms.role"}'
api POST "/iam/$vo/iam/account/$mika_id/groups/$role" >"$work/out"
api PUT "/iam/$vo/iam/account/$mika_id/attributes" '{"name": "nickname", "value": "みか"}'
at=/$vo/voms$n

# The clients

cpp() { # name, options…
  local who=$1
  shift
  voms-proxy-init2 -cert "$work/$who.pem" -key "$work/$who.key" -certdir "$X509_CERT_DIR" -vomses "$VOMS_USERCONF" \
    -out "$work/cpp" -bits 2048 "$@" 2>&1 | grep -vE '^[.+*]*$'
  return "${PIPESTATUS[0]}"
}
java() {
  local who=$1
  shift
  voms-proxy-init3 -cert "$work/$who.pem" -key "$work/$who.key" -certdir "$X509_CERT_DIR" -vomses "$VOMS_USERCONF" \
    -vomsdir "$X509_VOMS_DIR" -out "$work/java" "$@"
}
info() { voms-proxy-info2 -file "$work/$1" -all; }
fqans() { info "$1" | sed -n 's/^attribute : \(\/.*\)/\1/p' | tr '\n' ' '; }
holds() { # client, fqans…: exactly these, in this order
  local client=$1 wanted
  shift
  wanted="$(printf '%s ' "$@")"
  [ "$(fqans "$client")" = "$wanted" ] || { echo "wanted: $wanted"; info "$client"; false; }
}
null=Role=NULL/Capability=NULL

# The server looks at its trust directory every few seconds.
for _ in $(seq 20); do
  cpp "$mika" -rfc -voms "$vo" >"$work/out" 2>&1 && break
  sleep 1
done

for client in cpp java; do
  check "$client: a proxy for the VO" "$client" "$mika" -rfc -voms "$vo"
  check "… has the usual groups" holds $client "/$vo/$null" "$at/$null"
  check "… has the attributes of its owner" says 'nickname = .* \('"$vo"'\)' info $client
  check "… is accepted by voms-proxy-info" says '^timeleft  : 1[12]:' info $client
  check "… is accepted by OpenSSL" openssl verify -allow_proxy_certs -CAfile "$work/ca.pem" -untrusted "$work/$mika.pem" "$work/$client"
  check "$client: a group first" "$client" "$mika" -rfc -voms "$vo:$at"
  check "… is first" holds $client "$at/$null" "/$vo/$null"
  check "$client: a role" "$client" "$mika" -rfc -voms "$vo:$at/Role=production"
  check "… comes first" holds $client "$at/Role=production/Capability=NULL" "/$vo/$null" "$at/$null"
  check "$client: a lifetime that is too long is shortened, with a warning" says 'validity of the attributes was shortened to 86400 seconds' \
    "$client" "$mika" -rfc -voms "$vo" -valid 72:00
  check "… to a day" says '^timeleft  : 2[34]:' info $client
  check "$client: a limited proxy" "$client" "$mika" -rfc -limited -voms "$vo"
  check "… has attributes" holds $client "/$vo/$null" "$at/$null"
  check "$client: a proxy of the oldest kind" "$client" "$mika" -old -voms "$vo"
  check "… has attributes" holds $client "/$vo/$null" "$at/$null"
  check "$client: a role that one does not have: the message names those one has" \
    refused "$mika does not have /$vo/Role=admin. What $mika has in $vo: /$vo, $at, $at/Role=production" \
    "$client" "$mika" -rfc -voms "$vo:/$vo/Role=admin"
  check "$client: somebody unknown is told where to register" \
    refused "User unknown to this VO: no account of $vo has the certificate .*/CN=stranger$n.*Register.* at https://" \
    "$client" "stranger$n" -rfc -voms "$vo"
done
check "cpp: -list names everything" says "$at/Role=production/Capability=NULL" cpp "$mika" -rfc -voms "$vo" -list
check "cpp: an order" cpp "$mika" -rfc -voms "$vo" -order "$at"
check "… is kept" holds cpp "$at/$null" "/$vo/$null"
check "cpp: a proxy for other hosts is not accepted here" refused 'Cannot find match among allowed hosts|AC target' \
  cpp "$mika" -rfc -voms "$vo" -target elsewhere.example.org
java "$mika" -rfc -voms "$vo" >"$work/out" 2>&1
cp "$work/java" "$work/first"
chmod 600 "$work/first"
again() {
  X509_USER_PROXY=$work/first voms-proxy-init3 -noregen -rfc -certdir "$X509_CERT_DIR" -vomses "$VOMS_USERCONF" \
    -vomsdir "$X509_VOMS_DIR" -voms "$vo:$at/Role=production" -out "$work/java"
}
check "java: a role with an existing proxy" again
check "… comes first" holds java "$at/Role=production/Capability=NULL" "/$vo/$null" "$at/$null"

# The proxy at the doors; everybody may write below one directory

check "kumi opens a directory to everybody" "$kumi" access allow everyone 'storage.*' --on "/voms$n" --comment conformance
unset BEARER_TOKEN
proxy=$work/cpp
cpp "$mika" -rfc -voms "$vo:$at/Role=production" >"$work/out" 2>&1
head -c 300000 /dev/urandom >"$work/data"
there=${KUMI_KEK:?}/voms$n
web() { curl -sS --fail-with-body --cacert "$KUMI_CA" --cert "$proxy" --key "$proxy" "$@"; }
same() { web -o "$work/back" "$1" && cmp "$work/back" "$work/data"; }
davix() { local tool=$1; shift; "davix-$tool" --capath "$X509_CERT_DIR" --cert "$proxy" --key "$proxy" "$@"; }
gfal() { env -u BEARER_TOKEN -u BEARER_TOKEN_FILE X509_USER_PROXY="$proxy" GFAL_PYTHONBIN=/usr/bin/python3 "$@"; }
check "curl makes a directory at a gateway" web -X MKCOL "$there"
check "curl uploads" web -T "$work/data" "$there/curl"
check "… the same bytes" same "$there/curl"
check "davix-put uploads" davix put "$work/data" "$there/davix"
check "… the same bytes" same "$there/davix"
check "davix-ls lists" says 'davix$' davix ls "$there/"
check "gfal-copy uploads" gfal gfal-copy -f "file://$work/data" "$there/gfal"
check "… the same bytes" same "$there/gfal"
sum=$(python3 -c 'import sys,zlib; print("%08x" % zlib.adler32(open(sys.argv[1], "rb").read()))' "$work/data")
check "gfal-sum is told the checksum" says "$sum" gfal gfal-sum "$there/gfal" ADLER32
check "everything is removed" web -X DELETE "$there"

venv=${KUMI_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/kumi}/rucio-41
[ -x "$venv/bin/rucio" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'rucio-clients==41.*'; }
cat >"$work/rucio.cfg" <<CFG
[client]
rucio_host = $KUMI_SERVER/rucio
auth_host = $KUMI_SERVER/rucio
ca_cert = $KUMI_CA
account = $mika
auth_type = x509_proxy
client_x509_proxy = $proxy
vo = $vo
auth_token_file_path = $work/rucio-token
CFG
rucio() { env -u RUCIO_ACCOUNT RUCIO_CONFIG="$work/rucio.cfg" X509_USER_PROXY="$proxy" "$venv/bin/rucio" "$@"; }
check "rucio logs in with the proxy" says "$mika" rucio whoami
check "kumi makes a proxy with attributes" "$kumi" proxy --voms "$vo" --out "$work/kumi"
check "… which voms-proxy-info reads" holds kumi "/$vo/$null"
check "… and which opens the server's doors" says '"account": ?"admin"' \
  curl -sS --fail --cacert "$KUMI_CA" --cert "$work/kumi" --key "$work/kumi" "$KUMI_SERVER/rucio/accounts/whoami"
check "kumi says what one does not have" refused "does not have /$vo/Role=admin" "$kumi" proxy --voms "$vo:/$vo/Role=admin" --out "$work/none"

# Who gets nothing, and what they read

noa=noa$n
noa_id=$(person "$noa")
api PATCH "/iam/$vo/scim/Users/$noa_id" '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "operations": [{"op": "replace", "path": "active", "value": false}]}' >"$work/out"
for client in cpp java; do
  check "$client: somebody suspended is told so" refused "The account $noa is suspended.*ask the managers of $vo" \
    "$client" "$noa" -rfc -voms "$vo"
done
ema=ema$n
ema_id=$(person "$ema")
notice=$("$kumi" people settings --json | field suspensionGraceDays)
"$kumi" people settings --notice 0 --json >"$work/out"
"$kumi" people expire "$ema" --on 2020-02-02 --json >"$work/out"
"$kumi" people endings --run --force --json >"$work/out"
for client in cpp java; do
  check "$client: somebody whose membership ended is told when" \
    refused "The membership of $ema ended on 2020-02-02; ask the managers of $vo" "$client" "$ema" -rfc -voms "$vo"
done
"$kumi" people settings --notice "$notice" --json >"$work/out"
rin=rin$n
rin_id=$(person "$rin")
for client in cpp java; do
  check "$client: somebody who has not signed the usage policy is told where" \
    refused "$rin has not signed the usage policy of $vo yet.*https://" "$client" "$rin" -rfc -voms "$vo"
done
sign "$rin_id"
for client in cpp java; do
  check "$client: after signing all is well" "$client" "$rin" -rfc -voms "$vo"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

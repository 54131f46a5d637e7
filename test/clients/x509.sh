#!/usr/bin/env bash
# Certificates and proxies of every kind against a running grid: curl, davix, gfal2, voms-proxy-init and the rucio
# client, none of which knows a token. Takes its world from `kumi env`: KUMI_HOME, KUMI_SERVER, KUMI_KEK, KUMI_CA,
# BEARER_TOKEN_FILE (to link the certificate with) and X509_CERT_DIR, to which a foreign authority is added.
#   KUMI_RSE                    an RSE that takes uploads (KEK-DISK)
#   KUMI_CACHE, RUCIO_VERSIONS  where the virtual environments live; version specifiers to try (41.* 38.*)
set -uo pipefail
: "${KUMI_HOME:?}" "${KUMI_SERVER:?}" "${KUMI_KEK:?}" "${KUMI_CA:?}" "${BEARER_TOKEN_FILE:?}" "${X509_CERT_DIR:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
token_file=$BEARER_TOKEN_FILE
export GFAL_PYTHONBIN=/usr/bin/python3
unset BEARER_TOKEN BEARER_TOKEN_FILE X509_USER_PROXY
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
rse=${KUMI_RSE:-KEK-DISK}
read -r -a versions <<<"${RUCIO_VERSIONS:-41.* 38.*}"
vo=${RUCIO_VO:-demo}
work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "${added[@]}"' EXIT
added=()
. "$root/test/clients/checks.sh"
kek=$KUMI_KEK/x509-$$
cd "$work" || exit 1

kumi() { BEARER_TOKEN_FILE=$token_file "$root/kumi" "$@"; }
# web FILE …: curl with a proxy file or with "certificate:key".
web() {
  local cert=${1%%:*} key=${1##*:}
  shift
  curl -sS --fail-with-body --cacert "$KUMI_CA" --cert "$cert" --key "$key" "$@"
}
status() { # status, as, curl arguments…
  local wanted=$1 as=$2 got
  shift 2
  got=$(web "$as" -o "$work/answer" -w '%{http_code}' "$@")
  cat "$work/answer"
  [ "$got" = "$wanted" ]
}
works() { # as: who one is at the server, a file in and out of the gateway
  says '"account": *"admin"' web "$1" "$KUMI_SERVER/rucio/accounts/whoami" &&
    web "$1" -T "$work/data" "$kek/file" && web "$1" -o "$work/back" "$kek/file" && cmp "$work/back" "$work/data" &&
    web "$1" -X DELETE "$kek/file"
}
unknown() { status 401 "$1" "$KUMI_SERVER/rucio/accounts/whoami" && status 401 "$1" "$KUMI_KEK/x"; }

# An authority that this grid did not make, its person, and proxies as OpenSSL makes them.
key() { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1" && chmod 600 "$1"; }
sign() { # name, subject, signer, days, extension lines
  key "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  printf '%s\n' "$5" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -set_serial "$((RANDOM + 1000))" -days "$4" -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}
proxy() { # name, signer, common name, extension lines
  sign "$1" "$(subject "$2")/CN=$3" "$2" 1 "$4"
}
subject() { openssl x509 -in "$1.pem" -noout -subject -nameopt compat | sed 's/^subject= *//'; }
bundle() { # leaf, certificates below it…
  local leaf=$1
  shift
  { cat "$leaf.pem" "$leaf.key"; for name in "$@"; do cat "$name.pem"; done; } >"$leaf.proxy"
  chmod 600 "$leaf.proxy"
}
key ca.key
openssl req -x509 -key ca.key -subj "/DC=abroad/CN=Authority $$" -days 30 -out ca.pem -addext keyUsage=critical,keyCertSign,cRLSign
for option in -subject_hash -subject_hash_old; do
  base=$X509_CERT_DIR/$(openssl x509 -in ca.pem -noout "$option")
  cp ca.pem "$base.0"
  printf "access_id_CA X509 '/DC=abroad/CN=Authority %s'\npos_rights globus CA:sign\ncond_subjects globus '\"/DC=abroad/*\"'\n" "$$" >"$base.signing_policy"
  added+=("$base.0" "$base.signing_policy")
done
person=$'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature'
full=proxyCertInfo=critical,language:id-ppl-inheritAll
sign mika "/DC=abroad/CN=Mika $$" ca 20 "$person"
sign rin "/DC=abroad/CN=Rin $$" ca 20 "$person"
proxy rfc mika 1001 "$full"
proxy limited mika 1002 proxyCertInfo=critical,language:1.3.6.1.4.1.3536.1.1.1.9
proxy child rfc 1003 "$full"
proxy gt3 mika 1004 $'1.3.6.1.4.1.3536.1.222=critical,ASN1:SEQUENCE:i\n[i]\np=SEQUENCE:p\n[p]\nl=OID:1.3.6.1.5.5.7.21.1'
proxy gt2 mika proxy keyUsage=critical,digitalSignature
proxy last mika 1005 "$full,pathlen:0"
proxy beyond last 1006 "$full"
proxy mixed rfc proxy keyUsage=critical,digitalSignature
sign forged "/DC=abroad/CN=Rin $$/CN=1" mika 1 "$full"
for name in rfc limited gt3 gt2 last; do bundle "$name" mika; done
bundle child rfc mika
bundle beyond last mika
bundle mixed rfc mika
bundle forged mika
bundle rin
head -c 1000003 /dev/urandom >data

# The gateways and the server look into the trust directory every five seconds.
for _ in $(seq 30); do
  web mika.pem:mika.key -o answer "$KUMI_SERVER/rucio/accounts/whoami" 2>/dev/null
  grep -q certificate_unknown answer && break
  sleep 0.5
done
check "a stranger of a trusted authority is told how to be known" says 'kumi cert link' cat answer
check "kumi links a certificate that it shows" says 'is a certificate of admin' kumi cert link --cert mika.pem --key mika.key
check "… and lists it" says "/DC=abroad/CN=Mika $$" kumi cert ls
check "the grid-mapfile has it" says "^\"/DC=abroad/CN=Mika $$\" admin" kumi cert gridmap
refusals=0
until web mika.pem:mika.key -o answer -X MKCOL "$kek" || [ $((refusals += 1)) -gt 20 ]; do sleep 0.5; done 2>/dev/null

check "curl works with the certificate itself" works mika.pem:mika.key
for name in rfc limited child gt3 gt2 last; do
  check "curl works with a proxy by OpenSSL: $name" works "$name.proxy"
done
for name in beyond mixed forged; do
  check "curl is refused with a bad proxy: $name" unknown "$name.proxy"
done
check "curl is refused with somebody else's certificate" unknown rin.proxy
check "a limited proxy gets no certificate" status 403 limited.proxy -X POST -H 'content-type: application/json' -d '{"csr":"x"}' "$KUMI_SERVER/iam/$vo/certificates/issue"
check "a token beside the certificate decides" status 401 rfc.proxy -H 'Authorization: Bearer none' "$KUMI_SERVER/rucio/accounts/whoami"

check "kumi makes a proxy of a certificate" kumi proxy init --cert mika.pem --key mika.key --hours 2 --out own.proxy
check "… that curl works with" works own.proxy
check "… readable by its owner only" says '^600$' stat -c %a own.proxy
check "kumi gets a short-lived certificate and makes a proxy of it" kumi proxy --hours 2 --out short.proxy
check "… that curl works with" works short.proxy
check "… that kumi knows" says 'RFC 3820 proxy' kumi proxy info --file short.proxy
check "kumi env names the proxy" says "X509_USER_PROXY='$work/short.proxy'" env X509_USER_PROXY="$work/short.proxy" "$root/kumi" env --home "$KUMI_HOME"
check "kumi makes a limited one" says 'limited' bash -c '"$1/kumi" proxy init --cert short.proxy --limited --out lim.proxy && "$1/kumi" proxy info --file lim.proxy' - "$root"
check "… that curl works with" works lim.proxy
check "OpenSSL accepts it, too" bash -c 'openssl verify -allow_proxy_certs -CApath "$1" -untrusted lim.proxy lim.proxy' - "$X509_CERT_DIR"

made() { # name, options…
  local name=$1
  shift
  HOME=$work voms-proxy-init2 -cert mika.pem -key mika.key -certdir "$X509_CERT_DIR" -bits 2048 -valid 2:00 -out "$name.voms" "$@"
}
: >.rnd
check "voms-proxy-init makes a proxy" made rfc -rfc
check "… that curl works with" works rfc.voms
check "voms-proxy-init makes one of the oldest kind" made old -old
check "… that curl works with" works old.voms
check "voms-proxy-init makes one of the draft" made draft -proxyver 3
check "… that curl works with" works draft.voms
check "voms-proxy-init makes a limited one" made limited -rfc -limited
check "… that curl works with" works limited.voms
check "voms-proxy-init makes one that ends the path" made path -rfc -path-length 0
check "… that curl works with" works path.voms
check "voms-proxy-info reads what kumi made" says "identity *: /O=Kumihimo/OU=People/OU=$vo/CN=admin" voms-proxy-info2 -file short.proxy -all

dav() { local tool=$1; shift; "davix-$tool" --capath "$X509_CERT_DIR" -P grid --cert rfc.proxy "$@"; }
check "davix-put uploads with a proxy" dav put data "$kek/davix"
check "davix-get downloads the same bytes" bash -c 'davix-get --capath "$1" -P grid --cert rfc.proxy "$2" got && cmp got data' - "$X509_CERT_DIR" "$kek/davix"
check "davix-ls lists" says davix dav ls "$kek"
check "davix-rm removes" dav rm "$kek/davix"
export X509_USER_PROXY=$work/gt2.proxy
check "gfal-copy uploads with a proxy of the oldest kind" gfal-copy -f data "$kek/gfal"
check "gfal-copy downloads the same bytes" bash -c 'gfal-copy -f "$1" file://$PWD/got && cmp got data' - "$kek/gfal"
check "gfal-ls lists" says gfal gfal-ls "$kek"
check "gfal-rm removes" gfal-rm "$kek/gfal"
unset X509_USER_PROXY

for version in "${versions[@]}"; do
  venv=$cache/rucio-${version//[^0-9]/}
  if [ ! -x "$venv/bin/rucio" ]; then
    mkdir -p "$cache"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "rucio-clients==$version"
  fi
  for way in x509_proxy x509; do
    home=$work/rucio-${version//[^0-9]/}-$way
    mkdir -p "$home/etc"
    {
      echo '[client]'
      echo "rucio_host = $KUMI_SERVER/rucio"
      echo "auth_host = $KUMI_SERVER/rucio"
      echo "account = admin"
      echo "auth_type = $way"
      echo "auth_token_file_path = $home/token"
      echo "ca_cert = $KUMI_CA"
      echo "vo = $vo"
      echo "client_x509_proxy = $work/rfc.proxy"
      echo "client_cert = $work/mika.pem"
      echo "client_key = $work/mika.key"
    } >"$home/etc/rucio.cfg"
    rucio() { env -u RUCIO_CONFIG -u RUCIO_AUTH_TYPE "RUCIO_HOME=$home" RUCIO_ACCOUNT=admin "X509_USER_PROXY=$work/rfc.proxy" "$venv/bin/rucio" "$@"; }
    name=x509-$$-${version//[^0-9]/}-$way
    cp data "$name"
    check "rucio $version logs in by $way" says admin rucio whoami
    check "rucio $version uploads by $way" rucio upload --rse "$rse" --scope user.admin "$work/$name"
    check "rucio $version downloads by $way" rucio download --dir "$work/down" "user.admin:$name"
    check "… the same bytes" cmp data "$work/down/user.admin/$name"
  done
done

check "everything is removed" web rfc.proxy -X DELETE "$kek"
id=$(kumi cert ls --json | python3 -c 'import json,sys;print(next(c["id"] for c in json.load(sys.stdin) if c["subject"].startswith("/DC=abroad/")))')
check "kumi suspends the certificate" kumi cert suspend "$id" --reason 'laptop stolen'
check "… which opens nothing at the server any more, and says why" says 'laptop stolen' bash -c '! curl -sS --fail-with-body --cacert "$1" --cert rfc.proxy --key rfc.proxy "$2"' - "$KUMI_CA" "$KUMI_SERVER/rucio/accounts/whoami"
check "kumi unlinks it" kumi cert unlink "$id"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

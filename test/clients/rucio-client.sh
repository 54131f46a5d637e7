# For the scripts that use the unmodified field client: to be sourced. Virtual environments are kept between runs.
# Takes its world from `kumi env`: RUCIO_CONFIG (addresses, account, password) and BEARER_TOKEN_FILE. Each can be
# given by itself: RUCIO_HOST, RUCIO_ACCOUNT, RUCIO_USERNAME, RUCIO_PASSWORD, RUCIO_CA, RUCIO_CLIENT_VO, BEARER_TOKEN.
#   KUMI_RSE, KUMI_RSE_TARGET   an RSE that takes uploads, another one for rules (KEK-DISK, OSAKA-DISK)
#   KUMI_CACHE, RUCIO_VERSIONS  where they live; version specifiers to try (41.* 38.*)
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
read -r -a versions <<<"${RUCIO_VERSIONS:-41.* 38.*}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# setting KEY: its value in the configuration of `kumi env`.
setting() { [ -z "${RUCIO_CONFIG:-}" ] || sed -n "s/^$1 *= *//p" "$RUCIO_CONFIG" | head -1; }
host=${RUCIO_HOST:-$(setting rucio_host)}
auth_host=${RUCIO_AUTH_HOST:-${RUCIO_HOST:-$(setting auth_host)}}
account=${RUCIO_ACCOUNT:-$(setting account)}
username=${RUCIO_USERNAME:-$(setting username)}
password=${RUCIO_PASSWORD:-$(setting password)}
ca=${RUCIO_CA:-$(setting ca_cert)}
vo=${RUCIO_CLIENT_VO:-$(setting vo)}
: "${host:?RUCIO_CONFIG or RUCIO_HOST says where the door is: eval \"\$(kumi env)\"}" "${account:?whom to act for}"
rse=${KUMI_RSE:-KEK-DISK}
target=${KUMI_RSE_TARGET:-OSAKA-DISK}
token=${BEARER_TOKEN:-}
[ -n "$token" ] || { [ -n "${BEARER_TOKEN_FILE:-}" ] && token=$(cat "$BEARER_TOKEN_FILE"); } || true

# check NAME COMMAND…: one line, and the output of what failed.
check() {
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok - $name"
  else
    failed=$((failed + 1))
    echo "FAIL - $name"
    sed 's/^/    /' "$work/out" | tail -15
  fi
}
# says TEXT COMMAND…: the command succeeds and prints the text.
says() {
  local text=$1
  shift
  "$@" | tee "$work/said"
  grep -qF -- "$text" "$work/said"
}

client() {
  local version=$1 venv
  venv=$cache/rucio-${version//[^0-9]/}
  if [ ! -x "$venv/bin/rucio" ]; then
    mkdir -p "$cache"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "rucio-clients==$version"
  fi
  bin=$venv/bin
}

# config oidc|userpass: how $account logs in (nobody is named when it is empty); a configuration of its own, so that no
# token of another run is found.
config() {
  local way=$1
  home=$work/home-$tag
  mkdir -p "$home/etc"
  {
    echo '[client]'
    echo "rucio_host = $host"
    echo "auth_host = $auth_host"
    if [ -n "$account" ]; then echo "account = $account"; fi
    echo "auth_type = $way"
    echo "auth_token_file_path = $home/token"
    if [ -n "$ca" ]; then echo "ca_cert = $ca"; fi
    if [ -n "$vo" ]; then echo "vo = $vo"; fi
    if [ "$way" = userpass ]; then
      echo "username = ${username:-$account}"
      echo "password = $password"
    fi
  } >"$home/etc/rucio.cfg"
  environment=(env -u BEARER_TOKEN -u BEARER_TOKEN_FILE -u RUCIO_CONFIG -u RUCIO_AUTH_TYPE -u RUCIO_ACCOUNT "RUCIO_HOME=$home")
  if [ -n "$account" ]; then environment+=("RUCIO_ACCOUNT=$account"); fi
  if [ "$way" = oidc ]; then environment+=("BEARER_TOKEN=$token"); fi
}
rucio() { "${environment[@]}" "$bin/rucio" "$@"; }
admin() { "${environment[@]}" "$bin/rucio-admin" "$@"; }

same() { cmp "$1" "$2"; }
# becomes TEXT COMMAND…: within 20 tries the command prints a line of that pattern.
becomes() {
  local pattern=$1
  shift
  for _ in $(seq 20); do
    "$@" | tee "$work/said"
    if grep -qE -- "$pattern" "$work/said"; then return 0; fi
    sleep 0.5
  done
  return 1
}

#!/usr/bin/env bash
# A real ARC computing element of one node on this machine: Debian's A-REX with its REST interface on a high port of
# 127.0.0.1, the fork back end, a test authority of its own. Needs root.
#   arc-lab.sh start DIRECTORY PORT     DIRECTORY must be searchable by others
#   arc-lab.sh restart DIRECTORY NAME   starts arex or ws again after it was killed
#   arc-lab.sh stop DIRECTORY           ends what was started, by its process number, and removes the directory
# After the start DIRECTORY holds: url, user, ca.pem, usercert.pem and userkey.pem of somebody it admits, certificates/,
# pid/NAME.
set -euo pipefail
verb=${1:?verb} lab=${2:?directory}
packages=(nordugrid-arc-arex nordugrid-arc-client nordugrid-arc-arcctl nordugrid-arc-arcctl-service
  nordugrid-arc-plugins-needed nordugrid-arc-plugins-arcrest openssl)
starters=/usr/share/arc
source "$(dirname "$0")/accounts.sh"

install() {
  local missing=0
  for program in arched arcctl arcstat openssl; do command -v "$program" >/dev/null || missing=1; done
  [ -e "$starters/arc-arex-ws-start" ] || missing=1
  [ "$missing" = 1 ] || return 0
  # Nothing of what is installed shall start by itself.
  local policy=/usr/sbin/policy-rc.d own=0
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && own=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >"$lab/apt.log" 2>&1 ||
    { apt-get update -q >>"$lab/apt.log" 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
      --no-install-recommends "${packages[@]}" >>"$lab/apt.log" 2>&1; } || { tail -3 "$lab/apt.log" >&2 && exit 1; }
  [ "$own" = 0 ] || rm -f "$policy"
}

# launch NAME COMMAND…: in a session of its own; what it says goes to log/NAME.
launch() {
  local name=$1
  shift
  ARC_CONFIG=$lab/arc.conf setsid "$@" >>"$lab/log/$name.out" 2>&1 </dev/null &
  echo $! >"$lab/pid/$name"
}
# The fork back end looks after its processes every ten seconds; here every second.
run_arex() {
  launch arex unshare --mount sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$lab/scan-fork-job" \
    "$starters/scan-fork-job" "$starters/arc-arex-start" -f
}
run_ws() { launch ws "$starters/arc-arex-ws-start" -f; }

certificates() {
  local own=("--config" "$lab/arc.conf" test-ca --ca-id lab --ca-dir "$lab/certificates")
  (cd "$lab" && arcctl "${own[@]}" init && arcctl "${own[@]}" hostcert -n localhost &&
    arcctl "${own[@]}" usercert -n 'Lab User' --no-auth &&
    mv host-localhost-cert.pem hostcert.pem && mv host-localhost-key.pem hostkey.pem &&
    mv client-Lab-User-cert.pem usercert.pem && mv client-Lab-User-key.pem userkey.pem &&
    cp certificates/ARC-TestCA-lab.pem ca.pem) &&
    openssl x509 -in "$lab/usercert.pem" -noout -subject -nameopt compat | sed 's/^subject=\(.*\)$/"\1"/' >"$lab/allowed-subjects"
}

configure() {
  local port=$1 user=kumi-arc-$1
  mkdir -p "$lab"/{log,pid,control,session,runtime,tmp,cache,home,certificates,vomsdir}
  chmod 755 "$lab" "$lab/log"
  chmod 1777 "$lab/tmp" "$lab/session"
  id "$user" >"$lab/log/id" 2>&1 || { accounts useradd --home-dir "$lab/home" --shell /bin/sh "$user" && touch "$lab/user-made"; }
  chown "$user": "$lab/home"
  echo "$user" >"$lab/user"
  echo "https://localhost:$port/arex" >"$lab/url"
  cat >"$lab/arc.conf" <<CONF
[common]
hostname = localhost
x509_host_key = $lab/hostkey.pem
x509_host_cert = $lab/hostcert.pem
x509_cert_dir = $lab/certificates
x509_voms_dir = $lab/vomsdir

[authgroup:people]
file = $lab/allowed-subjects

[mapping]
map_to_user = people $user:$user

[lrms]
lrms = fork

[arex]
controldir = $lab/control
sessiondir = $lab/session
runtimedir = $lab/runtime
tmpdir = $lab/tmp
pidfile = $lab/arex.pid
logfile = $lab/log/arex.log
joblog = $lab/log/jobs.log
loglevel = 3
wakeupperiod = 2

[arex/cache]
cachedir = $lab/cache

[arex/data-staging]

[arex/ws]
wsurl = https://localhost:$port/arex
logfile = $lab/log/ws.log
pidfile = $lab/ws.pid

[arex/ws/jobs]
allowaccess = people

[infosys]
logfile = $lab/log/infoprovider.log

[infosys/glue2]
admindomain_name = Lab

[infosys/cluster]
nodememory = 4000
defaultmemory = 256

[queue:fork]
comment = Processes of this machine
CONF
  sed 's/^sleep 10$/sleep 1/' "$starters/scan-fork-job" >"$lab/scan-fork-job"
  chmod 755 "$lab/scan-fork-job"
  # A-REX would look for a prime of its own for many minutes; this one is of RFC 7919.
  openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out "$lab/control/dhparam.pem" 2>"$lab/log/dhparam"
  certificates >"$lab/log/certificates" 2>&1 || { cat "$lab/log/certificates" >&2 && return 1; }
}

# ended NAME: ends the processes of that session, and waits until they are gone.
ended() {
  local pid
  pid=$(cat "$lab/pid/$1" 2>/dev/null) || return 0
  rm -f "$lab/pid/$1"
  kill -- "-$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 -- "-$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 -- "-$pid" 2>/dev/null || :
}

case $verb in
start)
  mkdir -p "$lab"
  lab=$(cd "$lab" && pwd)
  install
  configure "${@:3}"
  run_arex
  run_ws
  for _ in $(seq 600); do
    kill -0 "$(cat "$lab/pid/ws")" 2>/dev/null && kill -0 "$(cat "$lab/pid/arex")" 2>/dev/null || break
    code=$(curl -s -o "$lab/log/answer" -w '%{http_code}' --cacert "$lab/ca.pem" --cert "$lab/usercert.pem" --key "$lab/userkey.pem" \
      "$(cat "$lab/url")/rest/1.0/jobs") || :
    [ "$code" != 200 ] || exit 0
    sleep 0.2
  done
  echo "ARC did not become ready; see $lab/log" >&2
  exit 1
  ;;
restart)
  "run_${3:?name}"
  ;;
stop)
  user=$(cat "$lab/user" 2>/dev/null) || user=
  ended ws
  ended arex
  # Jobs outlive the daemons that started them; all of this user's are of this laboratory.
  if [ -n "$user" ] && [ -e "$lab/user-made" ]; then
    for _ in $(seq 50); do
      mapfile -t left < <(ps -o pid= -u "$user")
      [ "${#left[@]}" -gt 0 ] || break
      kill -9 "${left[@]}" 2>/dev/null || :
      sleep 0.1
    done
    accounts userdel "$user" 2>/dev/null || :
  fi
  [ -z "${KEEP_LAB:-}" ] || exit 0
  rm -rf "$lab"
  ;;
*)
  echo "arc-lab.sh start|restart|stop DIRECTORY …" >&2
  exit 2
  ;;
esac

#!/usr/bin/env bash
# The dirac command and client library of DiracX from PyPI, unmodified, against the DiracX door: login by device flow,
# submission of job descriptions, every operator of the search, summary, status, reschedule, sandboxes, pilots, configuration.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/issuer.sh"
cache=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}
venv=$cache/diracx
if ! "$venv/bin/python" -c 'import diracx.cli' 2>/dev/null; then
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'diracx-cli>=0.3,<1'
fi
export DIRACX_CREDENTIALS_PATH=$work/credentials.json DIRACX_OUTPUT_FORMAT=JSON PYTHONUNBUFFERED=1
vo=${issuer##*/}
dirac() { "$venv/bin/dirac" "$@"; }

login() {
  timeout 120 "$venv/bin/dirac" login "$vo" >"$work/login" 2>&1 &
  local pid=$! code=
  for _ in $(seq 200); do
    code=$(grep -oE 'user_code=[A-Z-]+' "$work/login" | head -1 | cut -d= -f2)
    [ -n "$code" ] && break
    kill -0 "$pid" || break
    read -rt 0.5 <> <(:) || :
  done
  browser_login && browser /interaction/device "{\"user_code\":\"$code\"}" >"$work/question" &&
    browser /interaction/device/answer "{\"user_code\":\"$code\",\"decision\":\"approve\"}"
  wait "$pid" || { cat "$work/login"; return 1; }
}
whoami() { dirac whoami >"$work/who" && [ "$(js 'it.preferred_username + " " + it.vo' <"$work/who")" = "admin $vo" ]; }
unknown_vo() { ! dirac login no-such-vo >"$work/no" 2>&1 && grep -qi 'unknown vo' "$work/no"; }
submit() {
  for n in $(seq 20); do
    printf 'Executable = "/bin/echo";\nArguments = "job %s";\nJobName = "dirac-%s";\nJobGroup = "dirac";\n' "$n" "$n" >"$work/$n.jdl"
  done
  dirac jobs submit "$work"/*.jdl >"$work/submitted" 2>&1
  grep -qE '20 jobs|inserted' "$work/submitted" || { cat "$work/submitted"; return 1; }
}
found() { # EXPECTED CONDITION…: so many jobs of the group fulfil it
  local want=$1
  shift
  dirac jobs search --per-page 100 --condition 'JobGroup eq dirac' "$@" >"$work/found" || return 1
  local got
  got=$(js it.length <"$work/found")
  echo "$got jobs"
  [ "$got" = "$want" ]
}
operator() { found "$1" --condition "$2"; }
all_fields() { dirac jobs search --all --per-page 1 >"$work/all" && [ "$(js 'Object.keys(it[0]).length >= 20' <"$work/all")" = true ]; }
configuration() { dirac config dump >"$work/config" && [ "$(js "Object.keys(it.Registry)[0]" <"$work/config")" = "$vo" ]; }
library() { "$venv/bin/python" "$here/diracx_library.py"; }
logout() { dirac logout >"$work/out" && [ ! -e "$DIRACX_CREDENTIALS_PATH" ]; }

check 'an unknown collaboration is refused' unknown_vo
check 'login by device flow, confirmed in a browser' login
check 'whoami' whoami
check 'twenty job descriptions submitted' submit
check 'search by condition' found 20
check 'eq' operator 1 'JobName eq dirac-7'
check 'neq' operator 19 'JobName neq dirac-7'
check 'like' operator 11 'JobName like dirac-1%'
check 'regex' operator 9 'JobName regex ^dirac-[1-9]$'
check 'in' operator 2 'JobName in ["dirac-1","dirac-2"]'
check 'gt, of a time as precise as a year' operator 0 "SubmissionTime gt $(date +%Y)"
check 'lt' operator 0 "SubmissionTime lt $(date +%Y)"
check 'gt, of a name' operator 2 'JobName gt dirac-7'
check 'lt, of a name' operator 11 'JobName lt dirac-2'
check 'the configuration' configuration
check 'all fields' all_fields
check 'the library: jobs, sandboxes up and down, kill, reschedule, delete, pilots, configuration, resources' library
check 'logout' logout
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

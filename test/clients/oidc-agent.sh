#!/usr/bin/env bash
# oidc-agent against the issuer: a device flow confirmed by a person's browser, then tokens narrowed to one purpose.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/issuer.sh"
export OIDC_CONFIG_DIR=$work/agent OIDC_ENCRYPTION_PW=conformance OIDC_SOCK OIDCD_PID
mkdir -m 700 "$OIDC_CONFIG_DIR"
finish() {
  [ -z "${OIDCD_PID:-}" ] || kill "$OIDCD_PID" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
eval "$(oidc-agent)" >"$work/agent.out"

device=urn:ietf:params:oauth:grant-type:device_code
scopes='openid profile offline_access wlcg wlcg.groups storage.read:/ storage.modify:/home'
client=oidc-agent-$$
secret=$(api POST /api/clients "{\"client_id\":\"$client\",\"client_name\":\"oidc-agent\",\"grant_types\":[\"$device\",\"refresh_token\"],\"scope\":\"$scopes\"}" | field client_secret)

# The agent waits for its person; the person's browser asks what it is about and agrees.
device_flow() {
  timeout 150 oidc-gen grid --iss="$issuer" --client-id="$client" --client-secret="$secret" --scope="$scopes" \
    --flow=device --cp="$KUMI_CA" --pw-env --prompt=none --confirm-default >"$work/gen" 2>&1 &
  local gen=$! code=
  for _ in $(seq 240); do
    code=$(grep -oE '\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b' "$work/gen" | head -1)
    [ -n "$code" ] && break
    kill -0 "$gen" || break
    read -rt 0.5 <> <(:) || :
  done
  browser_login && browser /interaction/device "{\"user_code\":\"$code\"}" >"$work/question" &&
    grep -q '"name":"oidc-agent"' "$work/question" &&
    browser /interaction/device/answer "{\"user_code\":\"$code\",\"decision\":\"approve\"}"
  wait "$gen" || { grep -v '\[48;5' "$work/gen"; return 1; }
}
token() { oidc-token grid "$@"; }
narrow() { # scope: exactly this and nothing more
  local got
  got=$(claim "$(token -f -s "$1" --aud https://se.example:1094)" scope)
  echo "$1 -> $got"
  [ "$got" = "\"$1\"" ]
}
audience() { [ "$(claim "$(token -f -s storage.read:/x --aud https://se.example:1094)" aud)" = '"https://se.example:1094"' ]; }
profile() {
  local one
  one=$(token -f)
  [ "$(claim "$one" wlcg.ver)" = '"1.0"' ] && [ "$(claim "$one" iss)" = "\"$issuer\"" ] &&
    [ "$(claim "$one" aud)" = '"https://wlcg.cern.ch/jwt/v1/any"' ]
}
not_granted() { ! token -f -s "$1"; }
userinfo() {
  curl -sS --fail --cacert "$KUMI_CA" -H "Authorization: Bearer $(token -f)" "$issuer/userinfo" | grep -q preferred_username
}
revoked() { # as the owner sees it in the console
  local id
  id=$(api GET /api/me/tokens | node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>console.log(JSON.parse(t).tokens.find(g=>g.client_id===process.argv[1]).id))' "$client")
  # The agent would wait for its person to log in again.
  api DELETE "/api/me/tokens/$id" && ! timeout 20 oidc-token -f grid
}

check 'device flow, confirmed in a browser' device_flow
check 'a token of the profile, for any service' profile
check 'a token for one path' narrow storage.read:/x
check 'a token for a path below what was granted' narrow storage.modify:/home/mika
check 'writing of new files out of the right to change' narrow storage.create:/home/new
check 'a token for one service' audience
check 'a sibling of the granted path is refused' not_granted storage.modify:/homework
check 'more than was granted is refused' not_granted compute.create
check 'a path that climbs is refused' not_granted storage.read:/a/../b
check 'userinfo knows the person' userinfo
check 'no token after the person took the permission back' revoked
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

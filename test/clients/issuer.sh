# For scripts about the issuer; source it. Takes its world from `kumi env`: KUMI_SERVER, KUMI_CA, KUMI_HOME, RUCIO_VO,
# BEARER_TOKEN_FILE. The administrator's token makes clients, their password logs a browser's session in.
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}" "${KUMI_CA:?}" "${KUMI_HOME:?}" "${BEARER_TOKEN_FILE:?}"
issuer=$KUMI_SERVER/iam/${RUCIO_VO:-demo}
work=$(mktemp -d)
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"
api() { # METHOD path [json]: as administrator
  curl -sS --fail-with-body --cacert "$KUMI_CA" -X "$1" -H "Authorization: Bearer $(cat "$BEARER_TOKEN_FILE")" \
    ${3:+-H 'content-type: application/json' -d "$3"} "$issuer$2"
}
browser() { # path json: what the console's pages ask, with the session of a browser
  curl -sS --fail-with-body --cacert "$KUMI_CA" -b "$work/cookies" -c "$work/cookies" \
    -H 'X-Kumi-Console: 1' -H 'content-type: application/json' -d "$2" "$issuer$1"
}
browser_login() {
  browser /session "{\"username\":\"admin\",\"password\":\"$(cat "$KUMI_HOME/client/password")\"}"
}
field() { # name: of the JSON on standard input
  node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>console.log(JSON.parse(t)[process.argv[1]]))' "$1"
}
claim() { # token name: as JSON
  node -p 'JSON.stringify(JSON.parse(Buffer.from(process.argv[1].split(".")[1],"base64url"))[process.argv[2]])' "$1" "$2"
}

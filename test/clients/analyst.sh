#!/usr/bin/env bash
# An ordinary account and the unmodified field client: a data manager makes it, it works within its own scope and
# quota, by password and with a bearer token alone, and is refused the rest in the client's own words.
set -euo pipefail
# shellcheck source=test/clients/rucio-client.sh
. "$(dirname "$0")/rucio-client.sh"
: "${KUMI_CA:?}" "${KUMI_SERVER:?}" "${KUMI_KEK:?}"
kumi=$(cd "$(dirname "$0")/../.." && pwd)/kumi
manager=$account manager_name=$username manager_password=$password

# denied COMMAND…: the client raises AccessDenied, says why, and ends with an error where it has one to end with:
# its uploads, its `scope add` and the new verbs of line 38 end with 0 whatever happens.
denied() {
  local ended=0
  "$@" >"$work/said" 2>&1 || ended=$?
  cat "$work/said"
  grep -qF 'Access to the requested resource denied' "$work/said" || return 1
  grep -qF 'Not allowed: ' "$work/said" || return 1
  grep -qF Traceback "$work/said" && return 1
  [ $ended -ne 0 ] || [ "$2" = upload ] || [ "$2 $3" = 'scope add' ]
}
refuses() { # TEXT COMMAND…
  local text=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    cat "$work/said"
    return 1
  fi
  cat "$work/said"
  grep -qE -- "$text" "$work/said"
}
# at_gateway TOKEN METHOD PATH…: the status a site's gateway answers with.
at_gateway() {
  local token=$1 method=$2 path=$3
  shift 3
  curl -sS --cacert "$KUMI_CA" -H "Authorization: Bearer $token" -X "$method" -o "$work/body" -w '%{http_code}' "$@" "$KUMI_KEK$path"
}
gateway_says() { # STATUS TOKEN METHOD PATH…
  local want=$1 got
  shift
  got=$(at_gateway "$@")
  echo "$got"
  cat "$work/body"
  test "$got" = "$want"
}
as() { # ACCOUNT USERNAME PASSWORD WAY
  account=$1 username=$2 password=$3
  config "$4"
}

# What a data manager does for a newcomer; both command lines of the field, by client line.
welcome() {
  local tag=$tag-admin
  as "$manager" "$manager_name" "$manager_password" userpass
  if [[ $version == 38* ]]; then
    check "$tag account add" admin account add --type USER --email "$name@example.org" "$name"
    check "$tag identity add" admin identity add --account "$name" --type USERPASS --id "$name" --email "$name@example.org" --password "$secret"
    check "$tag scope add" says "Added new scope" admin scope add --account "$name" --scope "user.$name"
    check "$tag set-limits" admin account set-limits "$name" "$target" 5MB
  else
    check "$tag account add" rucio account add --email "$name@example.org" "$name" USER
    check "$tag account identity add" rucio account identity add --type USERPASS --id "$name" --email "$name@example.org" --password "$secret" "$name"
    check "$tag scope add" says "Added new scope" rucio scope add --account "$name" "user.$name"
    check "$tag account limit set" rucio account limit set --rse "$target" --bytes 5MB "$name"
  fi
  check "$tag kumi policy sign" "$kumi" policy sign --for "$name"
  theirs=theirs-$name
  head -c 300 /dev/urandom >"$work/$theirs"
  check "$tag upload of its own" rucio upload --rse "$rse" --scope "user.$manager" "$work/$theirs"
  check "$tag did add" says Added rucio did add --type dataset "user.$manager:$theirs.ds"
  check "$tag rule add" rucio rule add "user.$manager:$theirs" --copies 1 --rses CHICAGO-DISK
  their_rule=$(grep -oE '[0-9a-f]{32}' "$work/out" | head -1 || true)
  their_path=$(rucio replica list file --pfns "user.$manager:$theirs" | grep -F "$KUMI_KEK" | sed "s#^$KUMI_KEK##" | head -1)
}

analysis() {
  local scope=user.$name data=$work/$tag rule
  # Every rule counts, also one that ends within the hour: two of 2 MB fit into 5 MB, none of 4 MB beside one of them.
  head -c 4000000 /dev/urandom >"$data.a"
  head -c 2000000 /dev/urandom >"$data.b"
  check "$tag whoami" says "account_type : USER" rucio whoami
  check "$tag whoami names the account" says "$name" rucio whoami
  check "$tag upload" rucio upload --rse "$rse" --scope "$scope" "$data.a"
  check "$tag did add dataset" says Added rucio did add --type dataset "$scope:$tag.ds"
  check "$tag upload into dataset" rucio upload --rse "$rse" --scope "$scope" "$data.b" "$scope:$tag.ds"
  check "$tag did content list" says "$tag.b" rucio did content list "$scope:$tag.ds"
  check "$tag did list" says "$tag.ds" rucio did list "$scope:*"
  check "$tag did list of others" says "$theirs.ds" rucio did list "user.$manager:$theirs*"
  check "$tag rule add within the quota" rucio rule add "$scope:$tag.ds" --copies 1 --rses "$target"
  rule=$(grep -oE '[0-9a-f]{32}' "$work/out" | head -1 || true)
  check "$tag rule becomes OK" becomes '^State: *OK' rucio rule show "${rule:-none}"
  check "$tag account limit list" says "$target" rucio account limit list "$name"
  check "$tag rule add over the quota is refused" refuses_quota rucio rule add "$scope:$tag.a" --copies 1 --rses "$target"
  check "$tag download" rucio download --dir "$data-d" "$scope:$tag.ds"
  check "$tag the same bytes" same "$data.b" "$data-d/$tag.ds/$tag.b"
  check "$tag download of another's file" rucio download --dir "$data-o" "user.$manager:$theirs"
  check "$tag the same bytes" same "$work/$theirs" "$data-o/user.$manager/$theirs"
  check "$tag rule remove" rucio rule remove "${rule:-none}"
}
refuses_quota() {
  local ended=0
  "$@" >"$work/said" 2>&1 || ended=$?
  cat "$work/said"
  grep -qF 'not enough quota left' "$work/said" && grep -qF "$target" "$work/said" && { [ $ended -ne 0 ] || [[ $version == 38* ]]; }
}

# The old verbs end with an error in both lines, the new ones in line 41.
refusals() {
  local own=user.$name other=user.$manager
  if [[ $version == 38* ]]; then
    check "$tag no rse add" denied admin rse add "NEW-$name"
    check "$tag no account add" denied admin account add "more-$name"
    check "$tag no account attribute" denied admin account add-attribute --key admin --value true "$name"
    check "$tag no set-limits" denied admin account set-limits "$name" "$target" 1GB
    check "$tag no identity of another" denied admin identity add --account "$manager" --type USERPASS --id "$name" --email a@example.org --password "$secret"
    check "$tag no scope for another" denied admin scope add --account "$manager" --scope "user.more-$name"
    check "$tag no scope for itself" denied admin scope add --account "$name" --scope "more.$name"
    check "$tag no dataset in another's scope" denied rucio add-dataset "$other:$tag"
    check "$tag no upload into another's scope" denied rucio upload --rse "$rse" --scope "$other" "$work/$tag.a"
    check "$tag nothing attached to another's dataset" denied rucio attach "$other:$theirs.ds" "$own:$tag.a"
    check "$tag no closing of another's dataset" denied rucio close "$other:$theirs.ds"
    check "$tag no rule for another" denied rucio add-rule --account "$manager" "$other:$theirs" 1 "$target"
    check "$tag no update of another's rule" denied rucio update-rule --lifetime 1 "$their_rule"
    check "$tag no deletion of another's rule" denied rucio delete-rule "$their_rule"
  else
    check "$tag no rse add" denied rucio rse add "NEW-$name"
    check "$tag no account add" denied rucio account add "more-$name" USER
    check "$tag no account remove" denied rucio account remove "$manager"
    check "$tag no account attribute" denied rucio account attribute set "$name" --key admin --value true
    check "$tag no account limit" denied rucio account limit set "$name" --rse "$target" --bytes infinity
    check "$tag no identity of another" denied rucio account identity add "$manager" --type USERPASS --id "$name" --email a@example.org --password "$secret"
    check "$tag no rse attribute" denied rucio rse attribute set "$rse" --key country --value US
    check "$tag no scope for another" denied rucio scope add --account "$manager" "user.more-$name"
    check "$tag no scope for itself" denied rucio scope add --account "$name" "more.$name"
    check "$tag no dataset in another's scope" denied rucio did add --type dataset "$other:$tag"
    check "$tag no upload into another's scope" denied rucio upload --rse "$rse" --scope "$other" "$work/$tag.a"
    check "$tag nothing attached to another's dataset" denied rucio did content add --to-did "$other:$theirs.ds" "$own:$tag.a"
    check "$tag no closing of another's dataset" denied rucio did update --close "$other:$theirs.ds"
    check "$tag no metadata of another's dataset" denied rucio did metadata set --key run --value 1 "$other:$theirs.ds"
    check "$tag no replica of another removed" denied rucio replica remove --rse "$rse" "$other:$theirs"
    check "$tag no rule for another" denied rucio rule add "$other:$theirs" --copies 1 --rses "$target" --account "$manager"
    check "$tag no update of another's rule" denied rucio rule update --lifetime 1 "$their_rule"
    check "$tag no move of another's rule" denied rucio rule move "$their_rule" --rses "$target"
    check "$tag no deletion of another's rule" denied rucio rule remove "$their_rule"
  fi
}

# Whoever may not touch a name may not touch its bytes at the sites either.
storage_rights() {
  local mine=$1
  check "$tag gateway: reads another's file" gateway_says 200 "$mine" GET "$their_path"
  check "$tag gateway: does not delete it" gateway_says 403 "$mine" DELETE "$their_path"
  check "$tag gateway: does not replace it" gateway_says 403 "$mine" PUT "$their_path" --data-binary nothing
  check "$tag gateway: puts nothing into another's scope" gateway_says 403 "$mine" PUT "/user/$manager/00/00/$tag" --data-binary nothing
  check "$tag gateway: puts nothing elsewhere" gateway_says 403 "$mine" PUT "/$tag" --data-binary nothing
  check "$tag gateway: does not remove its scope's neighbours" gateway_says 403 "$mine" DELETE /user
  check "$tag gateway: writes in its own scope" gateway_says 201 "$mine" PUT "/user/$name/00/00/$tag" --data-binary something
  check "$tag gateway: removes it again" gateway_says 204 "$mine" DELETE "/user/$name/00/00/$tag"
}

for version in "${versions[@]}"; do
  client "$version"
  name=ana${version//[^0-9]/}$(date +%s)
  secret=$(head -c 12 /dev/urandom | base64 | tr -d '/+=')
  tag=$name
  welcome
  tag=$name.password
  as "$name" "$name" "$secret" userpass
  analysis
  refusals
  tag=$name.token
  check "$tag kumi login" "$kumi" login "$name" --server "$KUMI_SERVER" --password-file <(echo "$secret") --token-file "$work/token"
  token=$(cat "$work/token")
  # Nobody is named: the token says who it is.
  as "" "" "" oidc
  analysis
  refusals
  storage_rights "$token"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

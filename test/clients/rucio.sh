#!/usr/bin/env bash
# The unmodified field client against a running grid, two client lines, both verb styles, two ways to log in.
set -euo pipefail
# shellcheck source=test/clients/rucio-client.sh
. "$(dirname "$0")/rucio-client.sh"


flow() {
  local style=$1 scope name first rule host_option=--hostname set_verb=set
  # Line 38 names two things differently.
  if [[ $version == 38* ]]; then host_option=--host-name set_verb=add; fi
  scope="t.$tag"
  scope=${scope:0:25}
  name=$tag
  head -c 300 /dev/urandom >"$work/$name.small"
  head -c 2000000 /dev/urandom >"$work/$name.large"
  check "$tag ping" rucio ping
  check "$tag whoami" says "$account" rucio whoami
  first="TEST-$(echo "$tag" | tr 'a-z.' 'A-Z-')"
  if [ "$style" = new ]; then
    check "$tag scope add" rucio scope add --account "$account" "$scope"
    check "$tag scope list" says "$scope" rucio scope list
    check "$tag rse add" rucio rse add "$first"
    check "$tag rse protocol add" rucio rse protocol add "$first" "$host_option" localhost --scheme https --prefix /test/ --port 7999 --impl rucio.rse.protocols.webdav.Default --domain-json '{"wan":{"read":1,"write":1,"delete":1}}'
    check "$tag rse show" says localhost rucio rse show "$first"
    check "$tag rse list" says "$rse" rucio rse list
    check "$tag upload" rucio upload --rse "$rse" --scope "$scope" "$work/$name.small"
    check "$tag did add dataset" rucio did add --type dataset "$scope:$name.ds"
    check "$tag upload into dataset" rucio upload --rse "$rse" --scope "$scope" "$work/$name.large" "$scope:$name.ds"
    check "$tag did list" says "$name.ds" rucio did list "$scope:*"
    check "$tag replica list" says "$rse" rucio replica list file "$scope:$name.small"
    check "$tag download file" rucio download --dir "$work/$tag-f" "$scope:$name.small"
    check "$tag download dataset" rucio download --dir "$work/$tag-d" "$scope:$name.ds"
    check "$tag did add container" rucio did add --type container "$scope:$name.cont"
    check "$tag attach" rucio did content add --to-did "$scope:$name.cont" "$scope:$name.ds"
    check "$tag content" says "$name.ds" rucio did content list "$scope:$name.cont"
    check "$tag metadata set" rucio did metadata "$set_verb" --key run_number --value 7 "$scope:$name.ds"
    check "$tag metadata list" says run_number rucio did metadata list "$scope:$name.ds"
    check "$tag rule add" rucio rule add "$scope:$name.ds" --copies 1 --rses "$target"
    rule=$(grep -oE '[0-9a-f]{32}' "$work/out" | head -1 || true)
    check "$tag rule show" says "${rule:-none}" rucio rule show "${rule:-none}"
    check "$tag rule becomes OK" becomes '^State: *OK' rucio rule show "${rule:-none}"
    check "$tag replica list shows the second copy" says "$target" rucio replica list file "$scope:$name.large"
    check "$tag rule list" says "${rule:-none}" rucio rule list --did "$scope:$name.ds"
    check "$tag rule update" rucio rule update --lifetime 3600 "${rule:-none}"
    check "$tag rule remove" rucio rule remove "${rule:-none}"
    check "$tag close" rucio did update --close "$scope:$name.ds"
  else
    check "$tag scope add" admin scope add --account "$account" --scope "$scope"
    check "$tag list-scopes" says "$scope" rucio list-scopes
    check "$tag rse add" admin rse add "$first"
    check "$tag rse add-protocol" admin rse add-protocol --hostname localhost --scheme https --prefix /test/ --port 7999 --impl rucio.rse.protocols.webdav.Default --domain-json '{"wan":{"read":1,"write":1,"delete":1}}' "$first"
    check "$tag rse info" says localhost admin rse info "$first"
    check "$tag list-rses" says "$rse" rucio list-rses
    check "$tag upload" rucio upload --rse "$rse" --scope "$scope" "$work/$name.small"
    check "$tag add-dataset" rucio add-dataset "$scope:$name.ds"
    check "$tag upload into dataset" rucio upload --rse "$rse" --scope "$scope" "$work/$name.large" "$scope:$name.ds"
    check "$tag list-dids" says "$name.ds" rucio list-dids "$scope:*"
    check "$tag list-file-replicas" says "$rse" rucio list-file-replicas "$scope:$name.small"
    check "$tag download file" rucio download --dir "$work/$tag-f" "$scope:$name.small"
    check "$tag download dataset" rucio download --dir "$work/$tag-d" "$scope:$name.ds"
    check "$tag add-container" rucio add-container "$scope:$name.cont"
    check "$tag attach" rucio attach "$scope:$name.cont" "$scope:$name.ds"
    check "$tag list-content" says "$name.ds" rucio list-content "$scope:$name.cont"
    check "$tag set-metadata" rucio set-metadata --did "$scope:$name.ds" --key run_number --value 7
    check "$tag get-metadata" says run_number rucio get-metadata "$scope:$name.ds"
    check "$tag add-rule" rucio add-rule "$scope:$name.ds" 1 "$target"
    rule=$(grep -oE '[0-9a-f]{32}' "$work/out" | head -1 || true)
    check "$tag rule-info" says "${rule:-none}" rucio rule-info "${rule:-none}"
    check "$tag rule becomes OK" becomes '^State: *OK' rucio rule-info "${rule:-none}"
    check "$tag list-file-replicas shows the second copy" says "$target" rucio list-file-replicas "$scope:$name.large"
    check "$tag list-rules" says "${rule:-none}" rucio list-rules "$scope:$name.ds"
    check "$tag update-rule" rucio update-rule --lifetime 3600 "${rule:-none}"
    check "$tag delete-rule" rucio delete-rule "${rule:-none}"
    check "$tag close" rucio close "$scope:$name.ds"
  fi
  check "$tag bytes of the file" same "$work/$name.small" "$work/$tag-f/$scope/$name.small"
  check "$tag bytes of the dataset" same "$work/$name.large" "$work/$tag-d/$name.ds/$name.large"
}

for version in "${versions[@]}"; do
  client "$version"
  for way in userpass oidc; do
    if [ "$way" = userpass ] && [ -z "$password" ]; then continue; fi
    if [ "$way" = oidc ] && [ -z "$token" ]; then continue; fi
    for style in new old; do
      tag="${version//[^0-9]/}${way:0:1}${style:0:1}$(date +%s)"
      config "$way"
      flow "$style"
    done
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

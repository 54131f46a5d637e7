#!/usr/bin/env bash
# People as programs of the field meet them: the requests of an IAM script (SCIM and IAM's REST, by curl with a client
# of its own) and every command of `kumi people|group|policy|audit`. Takes its world from `kumi env`: KUMI_HOME,
# KUMI_SERVER, KUMI_CA, BEARER_TOKEN_FILE (an administrator).
set -uo pipefail
: "${KUMI_HOME:?}" "${KUMI_SERVER:?}" "${KUMI_CA:?}" "${BEARER_TOKEN_FILE:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/test/clients/checks.sh"
iam=$KUMI_SERVER/iam/demo
token=$(cat "$BEARER_TOKEN_FILE")
user=u$$
indigo=urn:indigo-dc:scim:schemas:IndigoUser

status() { # wanted status, method, URL, curl arguments…: the body is left in $work/body
  local wanted=$1 method=$2 url=$3 got
  shift 3
  got=$(curl -sS --cacert "$KUMI_CA" -H "Authorization: Bearer $token" -X "$method" -o "$work/body" -w '%{http_code}' "$url" "$@")
  [ "$got" = "$wanted" ] || { echo "$method $url: $got"; cat "$work/body"; return 1; }
}
scim() { status "$@" -H 'content-type: application/scim+json'; }
rest() { status "$@" -H 'content-type: application/json'; }
field() { node -p "const b = JSON.parse(require('fs').readFileSync('$work/body', 'utf8')); $1"; }
field_is() { local found; found=$(field "$1"); [ "$found" = "$2" ] || { echo "$1 is $found, not $2"; return 1; }; }
exits() { # status, command…
  local wanted=$1
  shift
  "$@"
  [ $? -eq "$wanted" ]
}
as() { # token, command…
  local other=$1
  shift
  BEARER_TOKEN=$other "$@"
}

# An IAM script: find or create, label, group, certificate subject, end time, deactivate.
check "the service describes itself" scim 200 GET "$iam/scim/ServiceProviderConfig"
cat >"$work/user" <<END
{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "$user", "active": true,
 "name": {"givenName": "美香", "familyName": "佐藤"},
 "emails": [{"type": "work", "value": "$user@example.org", "primary": true}]}
END
check "create a user" scim 201 POST "$iam/scim/Users" --data "@$work/user"
id=$(field b.id)
check "a second time: conflict" scim 409 POST "$iam/scim/Users" --data "@$work/user"
check "find it by name" rest 200 GET "$iam/iam/account/find/byusername?username=$user"
check "the one that was made" field_is 'b.Resources[0].id' "$id"
check "find it by address" rest 200 GET "$iam/iam/account/find/byemail?email=$user@EXAMPLE.org"
check "one" field_is b.totalResults 1
check "label it" rest 200 PUT "$iam/iam/account/$id/labels" --data '{"prefix": "voms.demo", "name": "id", "value": "17"}'
check "find it by label" rest 200 GET "$iam/iam/account/find/bylabel?name=id&value=17"
check "one" field_is b.totalResults 1
check "a nickname" rest 200 PUT "$iam/iam/account/$id/attributes" --data '{"name": "nickname", "value": "mika"}'
check "the end of the membership" rest 200 PUT "$iam/iam/account/$id/endTime" --data '{"endTime": "2035-03-31T15:00:00.000Z"}'
check "a group below another" scim 200 GET "$iam/scim/Groups?filter=displayName%20eq%20%22demo/analysis%22"
parent=$(field 'b.Resources[0].id')
cat >"$work/group" <<END
{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "urn:indigo-dc:scim:schemas:IndigoGroup"], "displayName": "g$$",
 "urn:indigo-dc:scim:schemas:IndigoGroup": {"parentGroup": {"value": "$parent"}}}
END
check "create it" scim 201 POST "$iam/scim/Groups" --data "@$work/group"
group=$(field b.id)
check "its name is whole" field_is b.displayName "demo/analysis/g$$"
cat >"$work/member" <<END
{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
 "operations": [{"op": "add", "path": "members", "value": [{"value": "$id", "display": "$user"}]}]}
END
check "add the user as IAM's scripts do" scim 204 PATCH "$iam/scim/Groups/$group" --data "@$work/member"
check "read the user" scim 200 GET "$iam/scim/Users/$id"
check "in the group and all above it" field_is 'b.groups.map((g) => g.display).join(" ")' "demo demo/analysis demo/analysis/g$$"
check "with label, attribute and end" field_is "const u = b['$indigo']; [u.labels[0].value, u.attributes[0].value, u.endTime].join(' ')" \
  "17 mika 2035-03-31T15:00:00.000Z"
check "members by page" scim 200 GET "$iam/scim/Groups/$group/members?startIndex=1&count=1"
check "one" field_is 'b.Resources[0].value' "$id"
check "sign on behalf" rest 201 PATCH "$iam/iam/aup/signature/$id"
check "deactivate" scim 204 PATCH "$iam/scim/Users/$id" --data '{"Operations": [{"op": "replace", "path": "active", "value": false}]}'
check "find the inactive" scim 200 GET "$iam/scim/Users?filter=active%20eq%20false%20and%20userName%20eq%20%22$user%22"
check "one" field_is b.totalResults 1
check "activate" scim 204 PATCH "$iam/scim/Users/$id" --data '{"Operations": [{"op": "replace", "value": {"active": true}}]}'
token=none check "a token that is none" scim 401 GET "$iam/scim/Users"

# A newcomer, by the command line.
echo 'a long enough word' >"$work/password"
check "settings of the VO" says registrationOpen kumi people settings --open
check "register" says 'manager decides' kumi people register "n$user" --given Noa --family 渡辺 --email "n$user@example.org" --password-file "$work/password"
check "not in yet" exits 3 kumi login "n$user" --password-file "$work/password" --token-file "$work/token"
check "the request is seen" says "n$user" kumi people requests
check "approve" says 'is a member' kumi people approve "n$user"
check "sign on behalf" says 'has signed' kumi policy sign --for "n$user"
check "log in" kumi login "n$user" --password-file "$work/password" --token-file "$work/token"
noa=$(cat "$work/token" 2>/dev/null)
check "who am I" says "$(printf 'Noa 渡辺')" as "$noa" kumi people show
check "not who others are" exits 3 as "$noa" kumi people show "$user"
check "ask for a group" says 'managers of /demo/shifts' as "$noa" kumi group request shifts --notes 'nights are fine'
request=$(as "$noa" "$root/kumi" group requests --json 2>/dev/null | node -p "JSON.parse(require('fs').readFileSync(0))[0].uuid")
check "one does not let oneself in" exits 3 as "$noa" kumi group approve "$request"
check "a manager does" says 'is a member of /demo/shifts' kumi group approve "$request"
check "and sees it" says "n$user" kumi group show shifts
check "a second newcomer" says Registered kumi people register "m$user" --given M --family M --email "m$user@example.org" --password-file "$work/password"
check "is turned down" says 'turned down' kumi people reject "m$user" --reason 'a test'
check "and told why" says 'a test' kumi people mails --limit 5

# Groups, policy, suspension, audit.
check "a role" says 'is there' kumi group create "g$$-role" --role --description 'A role'
check "is listed" says "/demo/g$$-role +role" kumi group ls "g$$"
check "a manager" says 'are managers' kumi group add "g$$-role" "n$user" --manager
check "adds a member" says 'are members' as "$noa" kumi group add "g$$-role" "$user"
check "but to no other group" exits 3 as "$noa" kumi group add production "$user"
check "and takes them out" says 'no members' as "$noa" kumi group remove "g$$-role" "$user"
check "a member for a time" says 'until 2035' as "$noa" kumi group add "g$$-role" "$user" --until 2035-01-01
check "remove the role" says 'is gone' kumi group rm "g$$-role"
check "show the policy" says 'Version' kumi policy show
echo 'Be kind. 優しく。' >"$work/policy"
check "correct its words" says 'Signatures are kept' kumi policy publish --file "$work/policy" --keep-signatures
check "sign it" says 'has signed' as "$noa" kumi policy sign
check "end a membership" says 'ends on 2035' kumi people expire "n$user" --on 2035-04-01
check "not at all" says 'does not end' kumi people expire "n$user" --on never
check "nothing is due" says 'Nothing is due' kumi people endings
check "suspend" says 'is suspended' kumi people suspend "n$user" --reason 'a stolen laptop'
check "at once" exits 3 as "$noa" kumi whoami
check "with the reason" says 'a stolen laptop' kumi people show "n$user"
check "list the suspended" says "n$user" kumi people ls --inactive
check "restore" says 'is back' kumi people restore "n$user" --reason 'found'
check "at once" as "$noa" kumi whoami
check "who did it" says "admin +account.suspended +n$user" kumi audit ls --target "n$user"
check "the log is whole" says 'as they were written' kumi audit verify
check "not for everybody" exits 3 as "$noa" kumi audit ls
check "remove" says 'is removed' kumi people remove "n$user" --reason 'end of the test'
check "its name is kept" exits 1 kumi people register "n$user" --given N --family N --email "o$user@example.org" --password-file "$work/password"
check "delete the user" scim 204 DELETE "$iam/scim/Users/$id"
check "and the group" scim 204 DELETE "$iam/scim/Groups/$group"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

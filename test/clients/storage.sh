#!/usr/bin/env bash
# Foreign clients against two storage doors: curl, davix, gfal2, rclone. Takes its world from `kumi env`:
# KUMI_KEK and KUMI_OSAKA (base URLs of a VO's area), BEARER_TOKEN_FILE, X509_CERT_DIR, KUMI_CA.
set -uo pipefail
: "${KUMI_KEK:?}" "${KUMI_OSAKA:?}" "${BEARER_TOKEN_FILE:?}" "${X509_CERT_DIR:?}" "${KUMI_CA:?}"
export X509_CERT_DIR BEARER_TOKEN GFAL_PYTHONBIN=/usr/bin/python3
BEARER_TOKEN=$(cat "$BEARER_TOKEN_FILE")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/checks.sh"
dir=clients-$$
kek=$KUMI_KEK/$dir osaka=$KUMI_OSAKA/$dir
bearer="Authorization: Bearer $BEARER_TOKEN"
passive="TransferHeaderAuthorization: Bearer $BEARER_TOKEN"

web() { curl -sS --fail-with-body --cacert "$KUMI_CA" -H "$bearer" "$@"; }
same() { web -o "$work/back" "$1" && cmp "$work/back" "${2:-$work/data}"; } # URL [file]
gone() { test "$(curl -s --cacert "$KUMI_CA" -H "$bearer" -o "$work/back" -w '%{http_code}' "$1")" = 404; }
# davix-mv 0.8.4 ends with 255 whatever the server answers: what counts is that it complains of nothing.
silent() { "$@" >"$work/said" 2>&1; cat "$work/said"; test ! -s "$work/said"; }
refuses() { ! "$@"; }
davix() { local tool=$1; shift; "davix-$tool" --capath "$X509_CERT_DIR" -H "$bearer" "$@"; }
drain() { rclone --ca-cert "$KUMI_CA" --webdav-url "$KUMI_KEK" --webdav-bearer-token "$BEARER_TOKEN" --config /dev/null "$@"; }
adler() { python3 -c 'import sys,zlib;print("%08x"%zlib.adler32(open(sys.argv[1],"rb").read()))' "$1"; }

head -c 5000003 /dev/urandom >"$work/data"
printf 'small\n' >"$work/small"
: >"$work/empty"
sum=$(adler "$work/data")

check "curl makes a directory" web -X MKCOL "$kek"
check "curl makes it at the other site" web -X MKCOL "$osaka"
check "curl uploads" web -T "$work/data" "$kek/data"
check "curl uploads an empty file" web -T "$work/empty" "$kek/empty"
check "curl downloads the same bytes" same "$kek/data"
check "curl downloads the empty file" same "$kek/empty" "$work/empty"
check "curl is told the checksum" says "adler32=$sum" web -I -H 'Want-Digest: adler32' "$kek/data"
check "curl resumes a download" bash -c 'head -c 1000000 "$1/data" >"$1/part" && curl -sS --cacert "$2" -H "$3" -C - -o "$1/part" "$4" && cmp "$1/part" "$1/data"' - "$work" "$KUMI_CA" "$bearer" "$kek/data"
check "curl lets the other site fetch it" says '^success' web -X COPY -H "Source: $kek/data" -H "$passive" "$osaka/pulled"
check "… with the same bytes" same "$osaka/pulled"
check "curl lets a site send it" says '^success' web -X COPY -H "Destination: $osaka/pushed" -H "$passive" "$kek/data"
check "… with the same bytes" same "$osaka/pushed"
check "curl is refused without a token" refuses curl -sS --fail --cacert "$KUMI_CA" "$kek/data"
check "curl is refused a wrong checksum" refuses web -T "$work/small" -H 'Digest: adler32=00000001' "$kek/wrong"
check "… and nothing of it is there" gone "$kek/wrong"

check "davix-ls lists" says ' data$' davix ls -l "$kek/"
check "davix-put uploads" davix put "$work/data" "$kek/davix"
check "davix-get downloads the same bytes" bash -c 'davix-get --capath "$1" -H "$2" "$3" "$4/got" && cmp "$4/got" "$4/data"' - "$X509_CERT_DIR" "$bearer" "$kek/davix" "$work"
check "davix-mkdir makes a directory" davix mkdir "$kek/sub"
check "davix-mv renames" silent davix mv "$kek/davix" "$kek/sub/moved"
check "… to the same bytes" same "$kek/sub/moved"
check "… away from the old name" gone "$kek/davix"
check "davix-cp pushes" davix cp -H "$passive" "$kek/data" "$osaka/davix-pushed"
check "… the same bytes" same "$osaka/davix-pushed"
check "davix-cp pulls" davix cp --copy-mode pull -H "$passive" "$osaka/pulled" "$kek/davix-pulled"
check "… the same bytes" same "$kek/davix-pulled"
check "davix-rm removes" davix rm "$kek/davix-pulled"
check "… really" gone "$kek/davix-pulled"

check "gfal-ls lists" says data gfal-ls -l "$kek"
check "gfal-sum is told the checksum" says "$sum" gfal-sum "$kek/data" ADLER32
check "gfal-copy uploads" gfal-copy -f "file://$work/data" "$kek/gfal"
check "… the same bytes" same "$kek/gfal"
check "gfal-copy downloads" gfal-copy -f "$kek/gfal" "file://$work/gfal"
check "… the same bytes" cmp "$work/gfal" "$work/data"
check "gfal-copy pulls from site to site" gfal-copy -f --copy-mode pull -K ADLER32 "$kek/data" "$osaka/gfal-pulled"
check "… the same bytes" same "$osaka/gfal-pulled"
check "gfal-copy pushes from site to site" gfal-copy -f --copy-mode push "$osaka/pulled" "$kek/gfal-pushed"
check "… the same bytes" same "$kek/gfal-pushed"
check "gfal-copy replaces when told to" gfal-copy -f "file://$work/small" "$kek/gfal"
check "… with the new bytes" same "$kek/gfal" "$work/small"
check "gfal-mkdir makes parents" gfal-mkdir -p "$kek/deep/er"
check "gfal-rename renames" gfal-rename "$kek/gfal" "$kek/deep/er/gfal"
check "gfal-rm removes" gfal-rm "$kek/gfal-pushed"
check "… really" gone "$kek/gfal-pushed"

check "rclone lsl lists" says '5000003 .* data$' drain lsl ":webdav:$dir"
check "rclone copyto uploads" drain copyto "$work/data" ":webdav:$dir/rclone"
check "… the same bytes" same "$kek/rclone"
check "rclone copy uploads a tree" bash -c 'mkdir -p "$0/tree/a b/c" && cp "$0/small" "$0/tree/a b/c/ü#?%.txt" && cp "$0/data" "$0/tree/x"' "$work"
check "…" drain copy "$work/tree" ":webdav:$dir/tree"
check "rclone check finds it complete and equal" drain check --download "$work/tree" ":webdav:$dir/tree"
check "rclone moveto renames" drain moveto ":webdav:$dir/rclone" ":webdav:$dir/tree/renamed"
check "… the same bytes" same "$kek/tree/renamed"
check "rclone copyto copies inside the site" drain copyto ":webdav:$dir/data" ":webdav:$dir/tree/copied"
check "… the same bytes" same "$kek/tree/copied"
check "rclone purge removes the tree" drain purge ":webdav:$dir/tree"

check "everything is removed" web -X DELETE "$kek"
check "… at both sites" web -X DELETE "$osaka"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Software repositories: our own commands from end to end, then the programs of CVMFS where they are installed:
# cvmfs_swissknife (check, pull) and cvmfs2 (mount; needs root and /dev/fuse). A second grid mirrors the repository, and
# the same programs look at the mirror. Takes its world from `kumi env`.
# CVMFS_LIBRARY_PATH is where the libraries of cvmfs2 are, when not where it looks itself.
set -uo pipefail
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}" "${KUMI_HOME:?}"
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
export XDG_CACHE_HOME=$work/cache
repo=client-$$.example.org
url=http://localhost:${KUMI_SERVER##*:}/cvmfs/$repo
mounted=()
. "$here/checks.sh"
# A command at a second grid, which knows nothing of the first but that it may ask it.
second() {
  local names
  mapfile -t names < <(compgen -e | grep -E '^(KUMI_|BEARER_|X509_|RUCIO_|DATABASE_URL)' | sed 's/^/--unset=/')
  env "${names[@]}" KUMI_HOME="$work/second" KUMI_SOFTWARE_MIRROR_HOSTS="localhost:${KUMI_SERVER##*:}" "$root/kumi" "$@"
}
finish() {
  for place in "${mounted[@]}"; do umount -l "$place" 2>/dev/null; done
  [ ! -d "$work/second" ] || second down --home "$work/second" --purge >/dev/null 2>&1
  [ -z "${replica:-}" ] || kill "$replica" 2>/dev/null
  chmod -R u+w "$work" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
# What a tree looks like to a program: names, types, permissions, sizes, times, link texts, contents.
seen() { # directory
  (
    cd "$1" || exit
    find . -mindepth 1 ! -name .kumi-software.json ! -name '.cvmfs*catalog' -printf '%P %y %m %T@ %l\n' |
      sed 's/\(\.[0-9]*\)\( [^ ]*\)$/\2/' | sort
    find . -type f ! -name .kumi-software.json ! -name '.cvmfs*catalog' -exec sha256sum {} + | sort -k 2
  )
}
same_tree() { diff <(seen "$1" | grep -v '^pipe p') <(seen "$2" | grep -v '^pipe p'); }

tree=$work/release
mkdir -p "$tree"/{bin,lib/deep/er,empty,many}
printf '#!/bin/sh\necho koto "$@"\n' >"$tree/bin/koto"
chmod 755 "$tree/bin/koto"
: >"$tree/lib/nothing"
head -c 20000000 /dev/urandom >"$tree/lib/big"
ln -s ../lib/big "$tree/bin/link"
ln "$tree/bin/koto" "$tree/bin/again"
mkfifo "$tree/pipe"
echo leaf >"$tree/lib/deep/er/名前 with blanks"
: >"$tree/lib/deep/.cvmfscatalog"
for i in $(seq 1500); do echo "$i" >"$tree/many/$i"; done

check 'a repository is made' kumi software create "$repo"
check 'a directory is published' kumi software publish "$tree" --repo "$repo" --to /releases/08 --tag release-08
check 'unchanged, it makes no revision' says 'is as it was: revision 2' kumi software publish "$tree" --repo "$repo" --to /releases/08
check 'our check finds no problem' kumi software check "$repo"
check 'it is fetched as it was' kumi software get "$repo@release-08" "$work/copy" --path /releases/08 --copy
check 'every file is what was published' same_tree "$tree" "$work/copy"
check 'what is here already is not fetched again' says ' 0 files' kumi software get "$repo" "$work/second" --path /releases/08 --copy
check 'a program of it runs at /cvmfs' says 'koto one two' \
  kumi software run "$repo@release-08" -- sh -c '"$KUMI_SOFTWARE/releases/08/bin/koto" one two'
key=$work/$repo.pub
kumi software client-config "$repo" --output "$work/etc" >/dev/null
cp "$work/etc/etc/cvmfs/keys/kumihimo/$repo.pub" "$key"
echo changed >"$tree/many/7"
rm -r "$tree/lib/deep"
check 'a change is a further revision' says 'Revision 3' kumi software publish "$tree" --repo "$repo" --to /releases/08
check 'the difference is named' says '~ /releases/08/many/7' kumi software diff "$repo@release-08" '#3'

check 'a second grid starts' second up --home "$work/second" --empty --detach
mirror=$(eval "$(second env --home "$work/second")" && echo "http://localhost:${KUMI_SERVER##*:}/cvmfs/$repo")
check 'it mirrors the repository' second software mirror add "$repo" --url "$url" --key "$key"
check 'our check finds no problem in the mirror' second software check "$repo"
check 'what it gives is what was published' second software get "$repo@release-08" "$work/mirrored" --path /releases/08 --copy
check 'and is the same' same_tree "$work/copy" "$work/mirrored"

swissknife() { cvmfs_swissknife "$@"; }
if has cvmfs_swissknife; then
  mkdir -p "$work/tmp" "$work/replica/$repo"
  checks() { # url, more options…
    says 'no problems found' swissknife check -r "$1" -c -t "$work/tmp" -k "$key" -N "$repo" -l 1 "${@:2}"
  }
  pulls() {
    for i in $(seq 0 255); do mkdir -p "$work/replica/$repo/data/$(printf %02x "$i")"; done
    mkdir -p "$work/replica/$repo/data/txn"
    swissknife pull -m "$repo" -u "$url" -w "http://localhost/none" -k "$key" -n 8 -x "$work/tmp" -t 5 -a 1 -i \
      -r "local,$work/replica/$repo/data/txn,$work/replica/$repo" -R "$work/reflog.chksum"
  }
  check 'the checker of CVMFS finds no problem' checks "$url"
  check 'the replicator of CVMFS copies it' pulls
  (cd "$work/replica" && exec python3 -u -m http.server 0 --bind 127.0.0.1 >"$work/http" 2>&1) &
  replica=$!
  until_true 60 grep -q Serving "$work/http"
  port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$work/http" | head -1)
  check 'the copy has no problem, either' checks "http://localhost:$port/$repo" -R "$work/reflog.chksum"
  check 'nor has the mirror' checks "$mirror"
else
  echo 'cvmfs_swissknife is not on the PATH: checker and replicator of CVMFS are left out'
fi

# mounts NAME URL: at $work/NAME
mounts() {
  mkdir -p "$work/$1" "$work/fuse-$1"
  cat >"$work/$1.conf" <<CONF
CVMFS_REPOSITORY_NAME=$repo
CVMFS_SERVER_URL=$2
CVMFS_HTTP_PROXY=DIRECT
CVMFS_PUBLIC_KEY=$key
CVMFS_CACHE_BASE=$work/fuse-$1
CVMFS_RELOAD_SOCKETS=$work/fuse-$1
CVMFS_QUOTA_LIMIT=1000
CVMFS_SHARED_CACHE=no
CVMFS_USER=root
CVMFS_MAX_TTL=1
CVMFS_KCACHE_TIMEOUT=1
CVMFS_USYSLOG=$work/fuse-$1.log
CONF
  timeout 60 cvmfs2 -o config="$work/$1.conf",allow_other "$repo" "$work/$1" && mounted+=("$work/$1")
}
if has cvmfs2 && [ "$(id -u)" = 0 ] && [ -e /dev/fuse ]; then
  check 'the client of CVMFS mounts it' mounts mnt "$url"
  check 'it mounts the mirror' mounts far "$mirror"
  check 'which shows what was published' same_tree "$tree" "$work/far/releases/08"
  below=$work/mnt/releases/08
  check 'it shows what was published' same_tree "$tree" "$below"
  check 'a hard link is one file of two names' test "$(stat -c %h "$below/bin/koto")" = 2
  echo again >"$tree/many/8"
  kumi software publish "$tree" --repo "$repo" --to /releases/08 --quiet >/dev/null
  check 'it follows to the next revision by itself' until_true 150 grep -qs again "$below/many/8"
  if [ -n "${CVMFS_RESTART:-}" ]; then
    "$root/kumi" down --home "$KUMI_HOME" >/dev/null
    check 'it goes on while the server is away' grep -q again "$below/many/8"
    "$root/kumi" up --home "$KUMI_HOME" --detach >/dev/null
    check 'and reads on when the server is back' cmp "$below/many/1400" "$tree/many/1400"
  fi
else
  echo 'cvmfs2 is not on the PATH, or this is not root with /dev/fuse: mounting is left out'
fi
check 'the mirror is copied whole' second software mirror sync "$repo"
check 'and has no problem' second software check "$repo"
check 'it is mirrored no more' second software mirror rm "$repo"
check 'it goes back to an earlier tree' kumi software rollback "$repo" release-08
check 'what nobody can reach is given up' kumi software gc "$repo" --keep 1
check 'and the rest is whole' kumi software check "$repo@release-08"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

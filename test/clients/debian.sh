#!/usr/bin/env bash
# A whole Debian (minbase) as a release: made by debootstrap, published as a directory and as a container image, and its
# programs started with their own libraries by `kumi software run`, where /cvmfs need not exist. Needs debootstrap, root,
# bubblewrap and Debian's registry. Takes its world from `kumi env`.
#   DEBIAN_CACHE   directory for packages between runs (~/.cache/kumi/debian)
set -uo pipefail
: "${KUMI_SERVER:?eval \"\$(kumi env)\" says where the grid is}"
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
finish() { rm -rf "$work"; }
trap finish EXIT
. "$here/checks.sh"
for program in debootstrap bwrap; do
  if ! has "$program"; then
    echo "$program is not on the PATH: a Debian as a release is left out"
    echo "0 passed, 0 failed"
    exit 0
  fi
done
if [ "$(id -u)" != 0 ]; then
  echo "debootstrap needs root: a Debian as a release is left out"
  echo "0 passed, 0 failed"
  exit 0
fi
packages=${DEBIAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi/debian}
export XDG_CACHE_HOME=$work/cache TMPDIR=$work/tmp
mkdir -p "$work/tmp" "$packages"
repo=debian-$$.example.org
# Names, types, permissions of files, times, link texts, contents; what a repository does not hold or a get does not keep is not asked.
seen() { # directory
  (cd "$1" && find . -mindepth 1 \( -type f -o -type d -o -type l \) ! -name .kumi-software.json ! -name '.cvmfs*catalog' \
    \( -type f -printf '%P %y %s %Ts\n' -o -printf '%P %y %l\n' \) | sort
    find . -type f ! -name .kumi-software.json ! -name '.cvmfs*catalog' -exec sha256sum {} + | sort -k 2)
}
same_tree() { diff <(seen "$1") <(seen "$2"); }

debian=$work/debian
suite=${DEBIAN_SUITE:-bookworm}
check "debootstrap makes $suite" debootstrap --variant=minbase --cache-dir="$packages" "$suite" "$debian"
echo "  $(find "$debian" -xdev | wc -l) entries, $(du -sm --apparent-size "$debian" | cut -f1) MB"
[ "$failed" = 0 ] || { echo "$passed passed, $failed failed"; exit 1; }

kumi software create "$repo" >/dev/null
check 'it is published as a directory' says 'Revision 2' kumi software publish "$debian" --repo "$repo" --to /debian --tag plain
sed 's/^/  /' "$work/said"
check 'again, it makes no revision' says 'is as it was' kumi software publish "$debian" --repo "$repo" --to /debian
check 'our check finds no problem' kumi software check "$repo"
check 'it is fetched' kumi software get "$repo@plain" "$work/got" --path /debian
check 'every file is what debootstrap made' same_tree "$debian" "$work/got"

inside=/cvmfs/$repo/debian
[ -e /cvmfs ] && echo '  /cvmfs exists on this machine' || echo '  /cvmfs does not exist on this machine'
loader=$inside/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
libraries=$inside/usr/lib/x86_64-linux-gnu
check 'a program of it starts with its own libraries' says "$inside/usr/lib/x86_64-linux-gnu/libc.so.6" \
  kumi software run "$repo@plain" -- "$loader" --library-path "$libraries" --list "$inside/usr/bin/perl"
check 'and works' says 'perl 42' \
  kumi software run "$repo@plain" -- "$loader" --library-path "$libraries" "$inside/usr/bin/perl" -e 'print "perl ", 6 * 7, "\n"'
as_root() { # its own root directory, read-only
  kumi software run "$repo@$1" -- bwrap --ro-bind "/cvmfs/$repo/$2" / --dev /dev --proc /proc --tmpfs /tmp "${@:3}"
}
check 'it can be the root directory of a program' says 'Debian GNU/Linux' as_root plain debian sh -c '. /etc/os-release; echo $NAME; ls / >/dev/null'
check 'its package manager knows what is installed' says '^ii  *dpkg' as_root plain debian dpkg -l dpkg

# The same as an image of two layers: everything, then what the second takes away and adds.
image=$work/image
mkdir -p "$image/blobs/sha256" "$work/second/etc" "$work/second/usr/bin"
echo 'a second layer' >"$work/second/etc/motd"
: >"$work/second/usr/bin/.wh.perl"
add() { # file: its digest, and the file as a blob
  local sum
  sum=$(sha256sum "$1" | cut -d' ' -f1)
  mv "$1" "$image/blobs/sha256/$sum"
  echo "sha256:$sum"
}
described() { printf '{"mediaType":"%s","digest":"%s","size":%s}' "$1" "$2" "$(stat -c %s "$image/blobs/sha256/${2#sha256:}")"; }
tar -C "$debian" --xattrs --xattrs-include='*' --sort=name -cf "$work/one.tar" .
tar -C "$work/second" -cf "$work/two.tar" .
plain1=sha256:$(sha256sum "$work/one.tar" | cut -d' ' -f1)
plain2=sha256:$(sha256sum "$work/two.tar" | cut -d' ' -f1)
gzip -1n "$work/one.tar" "$work/two.tar"
one=$(add "$work/one.tar.gz") two=$(add "$work/two.tar.gz")
media=application/vnd.oci.image
printf '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s","%s"]}}' "$plain1" "$plain2" >"$work/config"
config=$(add "$work/config")
printf '{"schemaVersion":2,"config":%s,"layers":[%s,%s]}' "$(described $media.config.v1+json "$config")" \
  "$(described $media.layer.v1.tar+gzip "$one")" "$(described $media.layer.v1.tar+gzip "$two")" >"$work/manifest"
manifest=$(add "$work/manifest")
printf '{"schemaVersion":2,"manifests":[%s]}' "$(described $media.manifest.v1+json "$manifest")" >"$image/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
tar -C "$image" -cf "$work/image.tar" .

check 'an image of it is taken in' says '^Revision 3' kumi software ingest-image "$image" --repo "$repo" --path /image --tag image
sed 's/^/  /' "$work/said"
check 'as an archive it is the same' says 'is as it was' kumi software ingest-image "$work/image.tar" --repo "$repo" --path /image
check 'and when every layer is read anew' says 'is as it was' kumi software ingest-image "$work/image.tar" --repo "$repo" --path /image --no-cache
check 'our check finds no problem in it' kumi software check "$repo"
check 'its layers are one tree' says 'a second layer' as_root image image cat /etc/motd
check 'what a layer took away is gone' says 'no perl' as_root image image sh -c 'command -v perl || echo no perl'
rm "$debian/usr/bin/perl"
cp -a "$work/second/etc/motd" "$debian/etc/motd"
kumi software get "$repo@image" "$work/flat" --path /image >/dev/null
check 'every file is what the layers say' same_tree "$debian" "$work/flat"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# The README's promise on a bare Debian: what `debootstrap --variant=minbase` makes, and in it nothing but Node.js with
# npm of this machine and a fresh clone. Starts the demo and runs the tests there, as root and as a new ordinary
# user. Needs root and debootstrap; takes some minutes, so CI does not run it.
#   SUITE    Debian release (bookworm)
#   MIRROR   where its packages come from (what this machine's apt uses)
#   ROOT     keeps the bare system in this directory for the next run; otherwise it is made and removed
#   CHECKS   what to run (start test)      ACCOUNTS   as whom (root newcomer)
set -uo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "A new root directory can only be made by root."; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap"; exit 1; }
if [ "${1:-}" != inside ]; then
  # In namespaces of its own every mount and every process is gone when the script is, whatever ends it.
  exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" inside
fi
suite=${SUITE:-bookworm}
mirror=${MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 | tr -d ' ')}
bare=${ROOT:-}
work=$(mktemp -d)
machine=$work/machine
passed=0 failed=0
trap 'umount --recursive "$machine/proc" "$machine/dev" 2>/dev/null; rm -rf --one-file-system "$work"' EXIT

logs=test-results/clean-machine
mkdir -p "$logs"
check() { # name, command…
  local name=$1 began=$SECONDS log
  log=$logs/${name//[^a-zA-Z0-9]/-}.log
  shift
  if "$@" >"$log" 2>&1; then
    echo "ok - $name ($((SECONDS - began)) s)"
    passed=$((passed + 1))
  else
    echo "FAIL - $name ($((SECONDS - began)) s); see $log"
    tail -n 30 "$log"
    failed=$((failed + 1))
  fi
}

# The bare system.
fresh() { debootstrap --variant=minbase "$suite" "$1" "${mirror:-http://deb.debian.org/debian}"; }
if [ -n "$bare" ]; then
  [ -e "$bare/etc/debian_version" ] || check "debootstrap makes $bare" fresh "$bare"
  cp -a "$bare" "$machine"
else
  check "debootstrap makes a bare $suite" fresh "$machine"
fi
[ -x "$machine/usr/bin/apt" ] || { echo "0 passed, 1 failed"; exit 1; }

# Node.js with npm as this machine has them, and the way this machine reaches the registry.
node=$(readlink -f "$(command -v node)")
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
install -D "$node" "$machine/usr/local/bin/node"
mkdir -p "$machine/usr/local/lib/node_modules" "$machine/usr/local/etc"
cp -a "$npm" "$machine/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$machine/usr/local/bin/npm"
echo "registry=$(npm config get registry 2>/dev/null)" >"$machine/usr/local/etc/npmrc"
authorities=$(npm config get cafile 2>/dev/null)
if [ -f "$authorities" ]; then
  install -D -m 644 "$authorities" "$machine/usr/local/etc/authorities.pem"
  echo "cafile=/usr/local/etc/authorities.pem" >>"$machine/usr/local/etc/npmrc"
fi
cp /etc/resolv.conf "$machine/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$machine/etc/hosts"

# What every running system has.
mount -t proc proc "$machine/proc"
mount -t tmpfs -o mode=755 tmpfs "$machine/dev"
for device in null zero full random urandom tty; do
  touch "$machine/dev/$device" && mount --bind "/dev/$device" "$machine/dev/$device"
done
mkdir "$machine/dev/shm" && mount -t tmpfs -o mode=1777 tmpfs "$machine/dev/shm"
ln -s /proc/self/fd "$machine/dev/fd"

inside() { # account, command: in the clone of that account, with nothing of our environment
  chroot "$machine" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin su "$1" -s /bin/sh -c "cd ~/kumihimo && $2"
}
for account in ${ACCOUNTS:-root newcomer}; do
  [ "$account" = root ] || chroot "$machine" useradd --create-home "$account"
  home=$machine$(chroot "$machine" getent passwd "$account" | cut -d: -f6)
  chmod 700 "$home"
  git clone -q . "$home/kumihimo"
  chroot "$machine" chown -R "$account:" "${home#"$machine"}"
  for what in ${CHECKS:-start test}; do
    case $what in
      start)
        check "npm start as $account" inside "$account" 'npm start -- --once --json >/tmp/summary-$(id -un)'
        check "all went well for $account" node test/good-summary.mjs "$machine/tmp/summary-$account"
        check "kumi down leaves nothing for $account" inside "$account" './kumi down --purge && test ! -e ~/.kumi'
        ;;
      test) check "npm test as $account" inside "$account" 'npm test' ;;
    esac
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

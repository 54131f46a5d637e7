#!/usr/bin/env bash
# A real HTCondor pool of one machine, its access point behind a real sshd. Debian 12 has no HTCondor, Debian 13 has: its
# packages are unpacked once into a tree of their own, nothing is installed. The daemons run in that tree, with their own
# configuration, on 127.0.0.1. Needs root.
#   condor-lab.sh start DIRECTORY PORT PORT   of sshd and of HTCondor; DIRECTORY must be searchable by others
#   condor-lab.sh inside DIRECTORY COMMAND…   what a command says there to root, such as condor_hold
#   condor-lab.sh stop DIRECTORY              ends what was started, by its process number, and removes the directory
# After the start DIRECTORY holds: host-key (fingerprint), user, port, pid/NAME, home/ of the user, authorized_keys.
# KUMI_CACHE says where the tree is kept between runs (~/.cache/kumi), some 300 MB.
set -euo pipefail
verb=${1:?verb} lab=${2:?directory}
source "$(dirname "$0")/login-lab.sh"
tree=${KUMI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kumi}/condor-13
packages=(condor openssh-server dash bash coreutils util-linux debianutils tar gzip findutils sed grep procps hostname)

# unpack: asks apt for a machine that has nothing yet, so that all that is needed comes.
unpack() {
  [ ! -e "$tree/usr/sbin/condor_master" ] || return 0
  local at=$tree.$$ suite=trixie options
  mkdir -p "$at"/{apt/lists/partial,apt/state,apt/cache/archives/partial,usr/{bin,sbin,lib,lib64}}
  : >"$at/apt/status"
  echo "deb http://deb.debian.org/debian $suite main" >"$at/apt/sources.list"
  options=(-q -y -o "Dir::Etc::sourcelist=$at/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$at/apt/lists" -o "Dir::State::status=$at/apt/status" -o "Dir::State=$at/apt/state"
    -o "Dir::Cache=$at/apt/cache" -o Acquire::Languages=none)
  { apt-get "${options[@]}" update && apt-get "${options[@]}" --download-only --no-install-recommends install \
    "${packages[@]}"; } >"$lab/log/apt" 2>&1 || { tail -3 "$lab/log/apt" >&2 && exit 1; }
  for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$at/$directory"; done
  for package in "$at"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$at" --keep-directory-symlink
  done
  rm -rf "$at/apt"
  mkdir -p "$(dirname "$tree")"
  mv "$at" "$tree" 2>/dev/null || rm -rf "$at"
}

# within COMMAND…: in the tree, where the laboratory is at its own path, and the account is known.
within() {
  exec unshare --mount --propagation private bash -c '
    set -e
    lab=$1 tree=$2
    shift 2
    root=$lab/root
    mount --bind -o ro "$tree/usr" "$root/usr"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    # A pool of its own would set this kernel as it likes: nothing here may.
    mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount --rbind "$lab" "$root$lab"
    cd /
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C HOME=/root "$@"' bash "$lab" "$tree" "$@"
}

configure() {
  local ssh=$1 port=$2 root=$lab/root directory
  account "$ssh"
  configure_sshd "$ssh"
  mkdir -p "$root"/{usr,dev,proc,run/sshd,run/lock,tmp,root,var/{run,tmp},var/lib/condor,var/log,var/spool} "$root$lab"
  chmod 1777 "$root/tmp" "$root/var/tmp" "$root/run/lock"
  for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$root/$directory"; done
  cp -a "$tree/etc" "$root/etc"
  rm -f "$root"/etc/condor/config.d/*
  cp /etc/hosts /etc/hostname "$root/etc/"
  { grep -E "^(root|nobody|$(cat "$lab/user")):" /etc/passwd
    echo 'condor:x:64:64::/var/lib/condor:/bin/false'
    echo 'sshd:x:65:65534::/run/sshd:/bin/false'; } >"$root/etc/passwd"
  { grep -E "^(root|nogroup|tty|$(cat "$lab/user")):" /etc/group
    echo 'condor:x:64:'; } >"$root/etc/group"
  grep -E "^(root|$(cat "$lab/user")):" /etc/shadow >"$root/etc/shadow"
  for directory in run/condor var/log/condor run/lock/condor var/spool/condor var/lib/condor/execute; do
    mkdir -p "$root/$directory"
    chown 64:64 "$root/$directory"
  done
  cat >"$root/etc/condor/condor_config.local" <<CONF
CONDOR_HOST = 127.0.0.1
NETWORK_INTERFACE = 127.0.0.1
SHARED_PORT_PORT = $port
COLLECTOR_HOST = 127.0.0.1:$port
DAEMON_LIST = MASTER SHARED_PORT COLLECTOR NEGOTIATOR SCHEDD STARTD
CONDOR_IDS = 64.64
LOCK = /run/lock/condor
RUN = /run/condor
UID_DOMAIN = lab
FILESYSTEM_DOMAIN = lab
TRUST_UID_DOMAIN = True
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_CLIENT_AUTHENTICATION_METHODS = FS
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
NUM_CPUS = 8
MEMORY = 16000
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
NUM_SLOTS_TYPE_1 = 1
START = True
SUSPEND = False
PREEMPT = False
KILL = False
RUNBENCHMARKS = False
ENABLE_KERNEL_TUNING = False
BASE_CGROUP =
MOUNT_UNDER_SCRATCH =
MAX_JOBS_PER_OWNER = 8
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 3
SCHEDD_MIN_INTERVAL = 1
PERIODIC_EXPR_INTERVAL = 5
UPDATE_INTERVAL = 5
CONF
}

case $verb in
start)
  mkdir -p "$lab/log"
  lab=$(cd "$lab" && pwd)
  unpack
  configure "${3:?port}" "${4:?port}"
  launch sshd "$0" inside "$lab" /usr/sbin/sshd -D -e -f "$lab/sshd_config"
  launch condor "$0" inside "$lab" /usr/sbin/condor_master -f
  for _ in $(seq 300); do
    if "$0" inside "$lab" condor_status -af Name 2>/dev/null | grep -q . && "$0" inside "$lab" condor_q >/dev/null 2>&1; then exit 0; fi
    sleep 0.1
  done
  echo "HTCondor did not become ready; see $lab/root/var/log/condor" >&2
  exit 1
  ;;
inside)
  shift 2
  within "$@"
  ;;
stop)
  ended condor
  ended sshd
  remove_account
  [ -z "${KEEP_LAB:-}" ] || exit 0
  rm -rf "$lab"
  ;;
*)
  echo "condor-lab.sh start|inside|stop DIRECTORY …" >&2
  exit 2
  ;;
esac

#!/usr/bin/env bash
# A real Slurm of one node on this machine, reached over a real sshd: munge, slurmctld, slurmd and sshd of Debian, each
# with its own configuration, on high ports of 127.0.0.1. Needs root.
#   slurm-lab.sh start DIRECTORY PORT PORT PORT   of sshd, slurmctld and slurmd; DIRECTORY must be searchable by others
#   slurm-lab.sh restart DIRECTORY NAME           starts slurmd, slurmctld or sshd again after it was killed
#   slurm-lab.sh stop DIRECTORY                   ends what was started, by its process number, and removes the directory
# After the start DIRECTORY holds: host-key (fingerprint), user, port, pid/NAME, home/ of the user, authorized_keys.
set -euo pipefail
verb=${1:?verb} lab=${2:?directory}
source "$(dirname "$0")/login-lab.sh"
packages=(slurm-wlm slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge openssh-server openssh-client)

install() {
  local missing=0
  for program in munged slurmctld slurmd sbatch sshd ssh; do command -v "$program" >/dev/null || missing=1; done
  [ "$missing" = 1 ] || return 0
  # Nothing of what is installed shall start by itself.
  local policy=/usr/sbin/policy-rc.d own=0
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && own=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >"$lab/apt.log" 2>&1 ||
    { apt-get update -q >>"$lab/apt.log" 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
      --no-install-recommends "${packages[@]}" >>"$lab/apt.log" 2>&1; } || { tail -3 "$lab/apt.log" >&2 && exit 1; }
  [ "$own" = 0 ] || rm -f "$policy"
}

run_munge() {
  launch munge setpriv --reuid munge --regid munge --clear-groups munged --foreground --key-file="$lab/munge/key" \
    --socket="$lab/munge-run/socket" --pid-file="$lab/munge/pid" --log-file="$lab/munge/log" \
    --seed-file="$lab/munge/seed" --num-threads=2
}
run_slurmctld() { launch slurmctld slurmctld -D -f "$lab/slurm.conf"; }
run_slurmd() { launch slurmd slurmd -D -f "$lab/slurm.conf"; }
run_sshd() { launch sshd "$(command -v sshd)" -D -e -f "$lab/sshd_config"; }

configure() {
  local port=$1 controller=$2 node=$3 host
  host=$(hostname -s)
  account "$port"
  mkdir -p "$lab"/{munge,munge-run,state,spool}
  chmod 755 "$lab/munge-run"
  head -c 128 /dev/urandom >"$lab/munge/key"
  chown -R munge: "$lab/munge" "$lab/munge-run"
  chmod 700 "$lab/munge"
  chmod 400 "$lab/munge/key"
  chown slurm: "$lab/state"
  cat >"$lab/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$lab/munge-run/socket
CredType=cred/munge
StateSaveLocation=$lab/state
SlurmdSpoolDir=$lab/spool
SlurmctldPidFile=$lab/state/slurmctld.pid
SlurmdPidFile=$lab/spool/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=1
MinJobAge=300
KillWait=30
SlurmdTimeout=300
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
DefMemPerCPU=100
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=16000
PartitionName=short Nodes=$host Default=YES MaxTime=01:00:00
PartitionName=long Nodes=$host MaxTime=2-00:00:00
PartitionName=staff Nodes=$host AllowGroups=root
CONF
  mkdir -p /run/sshd
  configure_sshd "$port" "SetEnv SLURM_CONF=$lab/slurm.conf"
}

case $verb in
start)
  mkdir -p "$lab"
  lab=$(cd "$lab" && pwd)
  install
  configure "${3:?port}" "${4:?port}" "${5:?port}"
  run_munge
  for _ in $(seq 100); do [ -S "$lab/munge-run/socket" ] && break || sleep 0.1; done
  run_slurmctld
  run_sshd
  export SLURM_CONF=$lab/slurm.conf
  for _ in $(seq 200); do scontrol ping 2>/dev/null | grep -q UP && break || sleep 0.1; done
  run_slurmd
  for _ in $(seq 300); do [ "$(sinfo -h -o %T 2>/dev/null | head -1)" = idle ] && exit 0 || sleep 0.1; done
  echo "Slurm did not become ready; see $lab/log" >&2
  exit 1
  ;;
restart)
  # A daemon that was killed may have left its port in use for a moment.
  "run_${3:?name}"
  ;;
stop)
  user=$(cat "$lab/user" 2>/dev/null) || user=
  SLURM_CONF=$lab/slurm.conf timeout 10 scancel -u "${user:-nobody}" >"$lab/log/scancel" 2>&1 || :
  ended sshd
  ended slurmd
  ended slurmctld
  ended munge
  remove_account
  [ -z "${KEEP_LAB:-}" ] || exit 0
  rm -rf "$lab"
  ;;
*)
  echo "slurm-lab.sh start|restart|stop DIRECTORY …" >&2
  exit 2
  ;;
esac

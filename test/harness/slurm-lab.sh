#!/usr/bin/env bash
# A real Slurm of one node on this machine, reached over a real sshd: munge, slurmctld, slurmd and sshd of Debian, each
# with its own configuration, on high ports of 127.0.0.1. Needs root.
#   slurm-lab.sh start DIRECTORY PORT PORT PORT   of sshd, slurmctld and slurmd; DIRECTORY must be searchable by others
#   slurm-lab.sh restart DIRECTORY NAME           starts slurmd, slurmctld or sshd again after it was killed
#   slurm-lab.sh stop DIRECTORY                   ends what was started, by its process number, and removes the directory
# After the start DIRECTORY holds: host-key (fingerprint), user, port, pid/NAME, home/ of the user, authorized_keys.
set -euo pipefail
verb=${1:?verb} lab=${2:?directory}
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

# launch NAME COMMAND…: in a session of its own; what it says goes to log/NAME.
launch() {
  local name=$1
  shift
  setsid "$@" >>"$lab/log/$name.out" 2>&1 </dev/null &
  echo $! >"$lab/pid/$name"
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
  local port=$1 controller=$2 node=$3 host user=kumi-lab-$1
  host=$(hostname -s)
  mkdir -p "$lab"/{munge,munge-run,state,spool,log,pid,home,keys}
  chmod 755 "$lab" "$lab/munge-run" "$lab/home"
  head -c 128 /dev/urandom >"$lab/munge/key"
  chown -R munge: "$lab/munge" "$lab/munge-run"
  chmod 700 "$lab/munge"
  chmod 400 "$lab/munge/key"
  chown slurm: "$lab/state"
  # sshd refuses accounts that are locked, and a new account is.
  id "$user" >"$lab/log/id" 2>&1 || { useradd --home-dir "$lab/home" --shell /bin/sh "$user" && usermod -p '*' "$user" && touch "$lab/user-made"; }
  chown "$user": "$lab/home"
  chmod 700 "$lab/home"
  echo "$user" >"$lab/user"
  echo "$port" >"$lab/port"
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
  ssh-keygen -q -t ed25519 -N '' -f "$lab/keys/host"
  ssh-keygen -lf "$lab/keys/host.pub" | cut -d' ' -f2 >"$lab/host-key"
  mkdir -p /run/sshd
  : >"$lab/authorized_keys"
  cat >"$lab/sshd_config" <<CONF
Port $port
ListenAddress 127.0.0.1
HostKey $lab/keys/host
PidFile none
AuthorizedKeysFile $lab/authorized_keys
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
SetEnv SLURM_CONF=$lab/slurm.conf
CONF
}

# ended NAME: ends the process of that name, and waits until it is gone.
ended() {
  local pid
  pid=$(cat "$lab/pid/$1" 2>/dev/null) || return 0
  rm -f "$lab/pid/$1"
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || :
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
  # Steps and sessions outlive the daemons that started them; all of this user's are of this laboratory.
  if [ -n "$user" ] && [ -e "$lab/user-made" ]; then
    for _ in $(seq 50); do
      mapfile -t left < <(ps -o pid= -u "$user")
      [ "${#left[@]}" -gt 0 ] || break
      kill -9 "${left[@]}" 2>/dev/null || :
      sleep 0.1
    done
    userdel "$user" 2>/dev/null || :
  fi
  [ -z "${KEEP_LAB:-}" ] || exit 0
  rm -rf "$lab"
  ;;
*)
  echo "slurm-lab.sh start|restart|stop DIRECTORY …" >&2
  exit 2
  ;;
esac

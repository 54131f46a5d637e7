# For laboratories with a batch system behind a real sshd: an account of their own, the server's configuration, daemons
# that are ended by their process numbers. Expects `lab`, the directory. Needs root.
source "$(dirname "$0")/accounts.sh"

# launch NAME COMMAND…: in a session of its own; what it says goes to log/NAME.
launch() {
  local name=$1
  shift
  setsid "$@" >>"$lab/log/$name.out" 2>&1 </dev/null &
  echo $! >"$lab/pid/$name"
}

# account PORT: the user of the laboratory, with home/ as home directory.
account() {
  local user=kumi-lab-$1
  mkdir -p "$lab"/{log,pid,home,keys}
  chmod 755 "$lab" "$lab/home"
  # sshd refuses accounts that are locked, and a new account is.
  id "$user" >"$lab/log/id" 2>&1 || { accounts useradd --home-dir "$lab/home" --shell /bin/sh "$user" && accounts usermod -p '*' "$user" && touch "$lab/user-made"; }
  chown "$user": "$lab/home"
  chmod 700 "$lab/home"
  echo "$user" >"$lab/user"
  echo "$1" >"$lab/port"
}

# configure_sshd PORT [LINE…]: writes host-key (the fingerprint), authorized_keys and sshd_config.
configure_sshd() {
  local port=$1
  shift
  ssh-keygen -q -t ed25519 -N '' -f "$lab/keys/host"
  ssh-keygen -lf "$lab/keys/host.pub" | cut -d' ' -f2 >"$lab/host-key"
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
CONF
  printf '%s\n' "$@" >>"$lab/sshd_config"
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

# Steps and sessions outlive the daemons that started them; all of this user's are of this laboratory.
remove_account() {
  local user
  user=$(cat "$lab/user" 2>/dev/null) || return 0
  [ -e "$lab/user-made" ] || return 0
  for _ in $(seq 50); do
    mapfile -t left < <(ps -o pid= -u "$user")
    [ "${#left[@]}" -gt 0 ] || break
    kill -9 "${left[@]}" 2>/dev/null || :
    sleep 0.1
  done
  accounts userdel "$user" 2>/dev/null || :
}

# The programs that change the accounts of a machine refuse when another one is at it: here they wait for each other,
# as several laboratories are made at once.
accounts() { # program with its words
  flock /run/lock/kumi-test-accounts "$@"
}

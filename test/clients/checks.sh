# For scripts that look at a grid through `kumi`: sentences that hold or fail, JSON, refusals, waiting. Expects `root`, the
# top of the clone, and `work`, a directory of their own; counts in `passed` and `failed`.
passed=0 failed=0
check() { # name, command…
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    echo "ok - $name"
    passed=$((passed + 1))
  else
    echo "FAIL - $name"
    sed 's/^/    /' "$work/out" | tail -n 12
    failed=$((failed + 1))
  fi
}
kumi() { node "$root/dist/src/cli/main.js" "$@"; }
# jq is not everywhere: js EXPRESSION reads JSON as `it`.
js() { node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{const it=JSON.parse(t);console.log(eval(process.argv[1]))})' "$1"; }
is() { # expected, expression; JSON on standard input
  local got
  got=$(js "$2") || return 1
  echo "$2 is $got, wanted $1"
  [ "$got" = "$1" ]
}
has() { command -v "$1" >/dev/null; }
says() { # pattern, command…: it succeeds and says so; what it says is in `$work/said`
  local pattern=$1 status
  shift
  "$@" >"$work/said" 2>&1
  status=$?
  cat "$work/said"
  [ "$status" -eq 0 ] && grep -qE -- "$pattern" "$work/said"
}
refused() { # pattern, command…: it ends with an error that says so
  local pattern=$1 status
  shift
  "$@" >"$work/said" 2>&1
  status=$?
  cat "$work/said"
  [ "$status" -ne 0 ] && grep -qE -- "$pattern" "$work/said"
}
until_true() { # seconds, command…
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    read -rt 0.5 <> <(:) || :
  done
}

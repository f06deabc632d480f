# shellcheck shell=bash
# One run for a project at a time. The lock is in the project's own Git folder, so that it holds for every home.
#
# The descriptor is handed down on purpose to the run's own children (never into a sandbox): after a `kill -9` of the
# orchestrator the project is free only when the last Git process of that run is gone.

LOCK_HOLDER='' LOCK_PID=''

# lock::hold_project: returns 1 when another run holds it; LOCK_HOLDER then says who, LOCK_PID its process here.
lock::hold_project() {
  local folder=$ORKESTRA_GIT_DIR/orkestra host
  mkdir -p -- "$folder" 2>/dev/null || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_GIT_DIR" "see its owner and rights"
  exec 9>>"$folder/run.lock"
  if flock --nonblock 9; then
    printf '%s %s %(%Y-%m-%dT%H:%M:%S%z)T\n' "$$" "$HOSTNAME" -1 >"$folder/holder"
    return 0
  fi
  read -r LOCK_PID host LOCK_HOLDER <"$folder/holder" || LOCK_HOLDER='since a moment ago'
  LOCK_HOLDER="process $LOCK_PID on $host since $LOCK_HOLDER"
  [[ $host == "$HOSTNAME" ]] || LOCK_PID=''
  return 1
}

# lock::await_project SECONDS: waits until the holder is gone. Returns 1 when it is still there.
lock::await_project() {
  flock --timeout "$1" 9
}

lock::forget_holder() {
  rm -f -- "$ORKESTRA_GIT_DIR/orkestra/holder"
}

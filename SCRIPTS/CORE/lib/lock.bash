# shellcheck shell=bash disable=SC2034  # orchestrator.sh reads what is set here
# One run for a project at a time. The lock is in the project's own Git folder, so that it holds for every home.
#
# The descriptor is handed down on purpose to the run's own children (never into a sandbox): after a `kill -9` of the
# orchestrator the project is free only when the last Git process of that run is gone.

# One that was being born in just that moment may live on, not yet tied to anybody: whoever still holds the lock of a
# dead orchestrator is ended.

LOCK_HELD='' LOCK_HOLDER='' LOCK_PID=''
readonly LOCK_DRAIN=5 # seconds: what Git may need to end after its run was killed

# lock::hold_project: LOCK_HELD says whether we hold it; if not, LOCK_HOLDER says who, LOCK_PID is its process if it is
# on this machine.
lock::hold_project() {
  local folder=$ORKESTRA_GIT_DIR/orkestra
  LOCK_HELD=''
  mkdir -p -- "$folder" 2>/dev/null || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_GIT_DIR" "see its owner and rights"
  exec 9>>"$folder/run.lock" || die "$EX_CANNOT_WRITE" "cannot write $folder/run.lock" "see its owner and rights"
  if flock --nonblock 9; then LOCK_HELD=1; else lock::_look "$folder"; fi
  [[ -z $LOCK_HELD ]] || printf '%s %s %(%Y-%m-%dT%H:%M:%S%z)T\n' "$$" "$HOSTNAME" -1 2>/dev/null >"$folder/holder" \
    || die "$EX_CANNOT_WRITE" "cannot write $folder/holder" "see the space left on its disk"
}

lock::_look() {
  local folder=$1 pid='' host='' since=''
  # A run writes the file just after it has taken the lock.
  [[ ! -f $folder/holder ]] || read -r pid host since <"$folder/holder" || : # it may be being written
  LOCK_HOLDER="process ${pid:-?} on ${host:-this machine}${since:+ since $since}"
  [[ $host == "$HOSTNAME" && $pid =~ ^[0-9]+$ ]] || return 0
  LOCK_PID=$pid
  if ! kill -0 "$pid" 2>/dev/null; then lock::_inherit "$folder"; fi
}

# The orchestrator is dead: its last processes get a moment, then what is left of them is ended.
lock::_inherit() {
  local file
  if flock --timeout "$LOCK_DRAIN" 9; then
    LOCK_HELD=1
    return
  fi
  for file in /proc/[0-9]*/fd/9; do
    [[ $file -ef $1/run.lock && $file != "/proc/$$/"* ]] || continue
    file=${file#/proc/}
    kill -KILL "${file%%/*}" 2>/dev/null || : # it may just have ended
  done
  if flock --timeout "$LOCK_DRAIN" 9; then LOCK_HELD=1; fi
}

lock::forget_holder() {
  rm -f -- "$ORKESTRA_GIT_DIR/orkestra/holder"
}

# shellcheck shell=bash
# Children that take long: each is the leader of its own process group, dies with its parent, and is ended TERM,
# grace, KILL.
#
# A trap only runs between commands, and a shell that waits in the foreground cannot be told to stop. So a long child
# is started in the background and waited for; a wait that a signal interrupts is repeated (STYLE: pitfalls 7, 8, 11).

PROCESS_PID=''

# process::start COMMAND...: starts it in its own group, tied to this shell's life. PROCESS_PID is its pid.
process::start() {
  set -m
  setpriv --pdeathsig KILL -- "$@" &
  PROCESS_PID=$!
  set +m
}

# process::wait VAR: waits for the started child to end, however often a signal interrupts; VAR gets its exit status.
process::wait() {
  local _status
  while :; do
    _status=0
    wait "$PROCESS_PID" || _status=$?
    # Above 128 the wait itself may have been interrupted: then the child is still there.
    if ((_status > 128)) && kill -0 "$PROCESS_PID" 2>/dev/null; then continue; fi
    break
  done
  PROCESS_PID=''
  printf -v "$1" '%s' "$_status"
}

# process::run VAR COMMAND...: both of the above.
process::run() {
  local _var=$1
  shift
  process::start "$@"
  process::wait "$_var"
}

# process::stop SIGNAL: sends it to the started child's whole group; no child, or a dead one, is no error.
process::stop() {
  [[ -n $PROCESS_PID ]] || return 0
  kill -"$1" -- "-$PROCESS_PID" 2>/dev/null || return 0
}

# process::forward: from here on INT and TERM to this shell go to the running child as TERM; when it has ended, this
# shell exits with 143. PROCESS_STOPPING says that it is so.
PROCESS_STOPPING=''
process::forward() {
  trap 'PROCESS_STOPPING=1; process::stop TERM' TERM INT HUP
}

# process::sandboxed SECONDS OPTIONS... -- COMMAND...: runs SAFETY/sandbox.sh with a time limit. `timeout` makes the
# group, forwards TERM, and kills after the grace period; 124 means that the time was up.
process::sandboxed() {
  local seconds=$1
  shift
  exec setpriv --pdeathsig KILL -- timeout --kill-after="${ORKESTRA_GRACE:-10}" "$seconds" \
    "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" "$@"
}

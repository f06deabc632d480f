# shellcheck shell=bash
# Children that take long: each is the leader of its own process group, dies with its parent, and is ended TERM,
# grace, KILL.
#
# A trap only runs between commands, and a shell that waits in the foreground cannot be told to stop. So a long child
# is started in the background and waited for; a wait that a signal interrupts is repeated (STYLE: pitfalls 7, 8, 11).

PROCESS_PID=''      # the child that runs, if any
PROCESS_BUSY=''     # from just before a child starts until it has been waited for
PROCESS_STOPPING='' # this process was told to stop

# process::start COMMAND...: starts it in its own group, tied to this shell's life. PROCESS_PID is its pid.
process::start() {
  PROCESS_BUSY=1
  set -m
  setpriv --pdeathsig KILL -- "$@" &
  PROCESS_PID=$!
  set +m
  # Told to stop just before there was a child to tell.
  [[ -z $PROCESS_STOPPING ]] || process::stop TERM
}

# process::start_here FUNCTION ARG...: the same for a function of ours that takes a moment: a fork and no program start.
# It is not tied to this shell's life, since it ends by itself.
process::start_here() {
  PROCESS_BUSY=1
  set -m
  "$@" &
  PROCESS_PID=$!
  set +m
  [[ -z $PROCESS_STOPPING ]] || process::stop TERM
}

# process::wait VAR: waits for the started child to end, however often a signal interrupts; VAR gets its exit status.
process::wait() {
  process::await "$1" "$PROCESS_PID"
  PROCESS_PID='' PROCESS_BUSY=''
}

# process::await VAR PID: the same for any child of this shell.
# Where a signal comes just as the child ends, Bash 5.2 loses the status and says -1: VAR is 255 then, and never 0.
# Whoever was told to stop does not go by it.
process::await() {
  local _status _again
  while :; do
    _status=0
    # Of a child that died of a signal Bash would tell a person, with a line number.
    wait "$2" 2>/dev/null || _status=$?
    ((_status > 128 || _status < 0)) || break
    if kill -0 "$2" 2>/dev/null; then continue; fi
    _again=0
    wait "$2" 2>/dev/null || _again=$?
    # 127: the child died of a signal, and its status has been given already.
    ((_again == 127)) || _status=$_again
    break
  done
  ((_status >= 0)) || _status=255
  printf -v "$1" '%s' "$_status"
}

# process::run VAR COMMAND...: both of the above.
process::run() {
  local _var=$1
  shift
  process::start "$@"
  process::wait "$_var"
}

# process::to_its_end PROGRAM...: a short program that goes on when our group is told to stop. Killed in its middle it would
# look like something that went wrong; killed before it had shut its ears it has done nothing, and is begun again.
process::to_its_end() {
  local _tries _status=129 _errors
  exec {_errors}>&2
  for ((_tries = 0; _tries < 2 && _status > 128; ++_tries)); do
    _status=0
    # Of a child that died of a signal Bash would tell a person.
    { (process::_deaf "$@" 2>&"$_errors" {_errors}>&-) || _status=$?; } 2>/dev/null
  done
  exec {_errors}>&-
  return "$_status"
}

# process::answer VAR PROGRAM...: the same; VAR gets what it says.
process::answer() {
  local _said _tries _status=129
  for ((_tries = 0; _tries < 2 && _status > 128; ++_tries)); do
    _status=0
    _said=$(process::_deaf "${@:2}") || _status=$?
  done
  printf -v "$1" '%s' "$_said"
  return "$_status"
}

process::_deaf() {
  trap '' TERM INT HUP
  exec "$@"
}

# process::stop SIGNAL: sends it to the started child's whole group, or to the child alone as long as it has not made
# one; no child, or a dead one, is no error.
process::stop() {
  [[ -n $PROCESS_PID ]] || return 0
  kill -"$1" -- "-$PROCESS_PID" 2>/dev/null || kill -"$1" -- "$PROCESS_PID" 2>/dev/null || return 0
}

# process::tell_to_stop: the child that runs, and any that this process still starts, gets TERM.
process::tell_to_stop() {
  PROCESS_STOPPING=1
  process::stop TERM
}

# process::on_stop FUNCTION: from here on INT, TERM and HUP set PROCESS_STOPPING; a running child gets TERM; with none
# running FUNCTION is called, which ends this process in its own way.
process::on_stop() {
  # shellcheck disable=SC2064  # the function's name is meant now
  trap "process::told $1" TERM INT HUP
}

# process::shield: from here to the next process::on_stop nothing interrupts this process or its new children. The
# signals are ignored, not kept: whoever stops this process has another way to tell it.
process::shield() {
  trap '' TERM INT HUP
}

# process::forward: the same with nothing to do of its own: the caller looks at PROCESS_STOPPING.
process::forward() {
  process::on_stop :
}

# process::told FUNCTION: what such a signal does, for one of another kind.
process::told() {
  PROCESS_STOPPING=1
  if [[ -n $PROCESS_BUSY ]]; then process::stop TERM; else "$1"; fi
}

# process::sandboxed SECONDS OPTIONS... -- COMMAND...: becomes SAFETY/sandbox.sh with a time limit. `timeout` makes the
# group, forwards TERM, and kills after the grace period; 124 means that the time was up.
process::sandboxed() {
  local seconds=$1
  shift
  # allow dependency-direction: the one start of the sandbox; what it does stays in SAFETY
  exec setpriv --pdeathsig KILL -- timeout --kill-after="${ORKESTRA_GRACE:-10}" "$seconds" \
    "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" "$@"
}

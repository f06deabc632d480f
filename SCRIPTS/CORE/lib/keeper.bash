# shellcheck shell=bash
# The keeper of a workspace's tree (tree-keeper.sh), as its worker speaks to it.
#
# It is one process in a sandbox of its own: no network, the project's objects read-only, and of the workspace what Git
# needs. It is started with the first request and serves task after task; where it takes too long it is ended, and the
# next request starts another. One that dies is replaced once in a request: asking twice does no harm. It dies with its
# worker.

use text clock process
# allow dependency-direction: the worker's fork becomes the sandbox; what that is stays in SAFETY
use SAFETY/sandbox
# allow dependency-direction: which folders these are is known there
use SAFETY/binds

readonly KEEPER_SECONDS=${ORKESTRA_TREE_SECONDS:-300} # bound on Git's own work in a hostile tree
readonly KEEPER_LARGEST=${ORKESTRA_FILE_LIMIT:-512}   # MiB: no larger file is taken; 0 is no bound

KEEPER_OF='' KEEPER_PID='' KEEPER_TO='' KEEPER_FROM='' # the one that runs, if any
# shellcheck disable=SC2034  # the caller reads them
KEEPER_STATUS=0 KEEPER_RESULT='' KEEPER_WHY='' # its last answer

# keeper::ask WORKSPACE REQUEST...: KEEPER_STATUS, KEEPER_RESULT and KEEPER_WHY get the answer; 124 when it took too long,
# 143 when we were told to stop meanwhile, 70 when it died. The caller looks at PROCESS_STOPPING.
keeper::ask() {
  local workspace=$1 line=$2 field escaped try
  for field in "${@:3}"; do
    text::escape escaped "$field"
    line+=$'\t'$escaped
  done
  PROCESS_BUSY=1
  for try in first last; do
    if [[ $KEEPER_OF != "$workspace" ]]; then
      keeper::end
      keeper::_start "$workspace"
    fi
    KEEPER_STATUS=$EX_INTERNAL KEEPER_RESULT='' KEEPER_WHY='what looks after the tree has died'
    if { printf '%s\n' "$line" >&"$KEEPER_TO"; } 2>/dev/null; then keeper::_listen; else keeper::end; fi
    [[ $try == first && -z $KEEPER_OF && $KEEPER_STATUS == "$EX_INTERNAL" && -z $PROCESS_STOPPING ]] || break
  done
  # shellcheck disable=SC2034  # process.bash
  PROCESS_BUSY=''
}

# Its answer; where there is none it is ended.
keeper::_listen() {
  local line='' part status now deadline left
  clock::passed now
  deadline=$((now + KEEPER_SECONDS))
  while :; do
    part='' status=0 left=$((deadline - now))
    ((left > 0)) || left=0.01
    IFS= read -r -t "$left" part <&"$KEEPER_FROM" || status=$?
    line+=$part
    clock::passed now
    if ((status == 0)); then
      keeper::_understand "$line"
      return
    fi
    # A signal, and half an answer so far.
    ((status > 128 && now < deadline)) && [[ -z $PROCESS_STOPPING ]] || break
  done
  if [[ -n $PROCESS_STOPPING ]]; then
    KEEPER_STATUS=143
  elif ((status > 128)); then
    # shellcheck disable=SC2034  # as above
    KEEPER_STATUS=$EX_TIMEOUT KEEPER_WHY="it took longer than $KEEPER_SECONDS seconds"
  fi
  keeper::end
}

keeper::_understand() {
  KEEPER_STATUS=${1%%$'\t'*}
  local rest=${1#*$'\t'}
  # shellcheck disable=SC2034  # as above
  KEEPER_RESULT=${rest%%$'\t'*}
  text::unescape KEEPER_WHY "${rest#*$'\t'}"
  [[ $KEEPER_STATUS =~ ^[0-9]{1,3}$ ]] || KEEPER_STATUS=$EX_INTERNAL
}

keeper::_start() {
  local workspace=$1 quarantine=$1/quarantine to from
  [[ -d $workspace/tree && -d $quarantine/info ]] || mkdir -p -- "$workspace/tree" "$quarantine/info"
  printf '%s\n' "$ORKESTRA_GIT_DIR/objects" >"$quarantine/info/alternates"
  rm -f -- "$workspace/keeper.to" "$workspace/keeper.from"
  mkfifo -m 600 -- "$workspace/keeper.to" "$workspace/keeper.from"
  # Held open at both ends until both sides have theirs, so that none waits for one that died.
  exec {to}<>"$workspace/keeper.to" {from}<>"$workspace/keeper.from"
  set -m
  keeper::_be "$workspace" <&"$to" >&"$from" 2>"$workspace/keeper.log" &
  KEEPER_PID=$!
  set +m
  disown "$KEEPER_PID" # of a child that was killed Bash would tell a person, with a line number
  exec {KEEPER_TO}>"$workspace/keeper.to" {KEEPER_FROM}<"$workspace/keeper.from" {to}>&- {from}>&-
  KEEPER_OF=$workspace
}

keeper::_be() {
  local workspace=$1 places
  BINDS_OPTIONS=()
  binds::objects "$ORKESTRA_GIT_DIR/objects"
  binds::places places "$workspace/tree"
  error::need_number "$KEEPER_LARGEST" ORKESTRA_FILE_LIMIT
  # allow dependency-direction: it only names the command that the sandbox starts
  sandbox::become --rw "$workspace/tree" --rw "$workspace/git" --rw "$workspace/quarantine" \
    "${BINDS_OPTIONS[@]}" --ro "$ORKESTRA_SCRIPTS/CORE" --stdin "$workspace/keeper.to" \
    --chdir "$workspace/git" -- "$ORKESTRA_SCRIPTS/CORE/tree-keeper.sh" "$workspace/git" "$workspace/tree" \
    "$workspace/quarantine" "$ORKESTRA_GIT_DIR/objects" "$ORKESTRA_BRANCH" "$((KEEPER_LARGEST << 20))" "${places[@]}"
}

# keeper::end: whatever it is at ends.
keeper::end() {
  [[ -n $KEEPER_OF ]] || return 0
  KEEPER_OF=''
  exec {KEEPER_TO}>&- {KEEPER_FROM}<&-
  kill -KILL -- "-$KEEPER_PID" 2>/dev/null || return 0 # it is dead already
  # What it had in its hands is let go with its end.
  tail --pid="$KEEPER_PID" -s 0.02 -f /dev/null
}

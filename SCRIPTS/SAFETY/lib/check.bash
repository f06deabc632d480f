# shellcheck shell=bash disable=SC2034  # CHECK_ENDED is for the caller
# A check in a workspace: what check.sh does, for a worker without a program start. See the head of check.sh.

use process SAFETY/home SAFETY/binds SAFETY/limits SAFETY/redact

CHECK_ENDED='' # "took longer than 900 seconds", "printed more than ..."; empty: it came to its end by itself

# check::run VAR WORKSPACE COMMAND_FILE LOG_FILE SECONDS: VAR gets the check's exit status; 124 when its time was up.
# A check without a command is nothing to run, and passes. The limits are open (limits.bash). LIMITS_LOST is as there.
check::run() {
  local _var=$1 _workspace=$2 _command_file=$3 _log=$4 _seconds=$5 _command _ended=0
  local -a _options
  CHECK_ENDED='' LIMITS_LOST=''
  error::need_number "$_seconds" SECONDS
  [[ -d $_workspace/tree ]] || die "$EX_DATA" "check.sh: there is no $_workspace/tree"
  [[ -r $_command_file ]] || die "$EX_DATA" "check.sh: cannot read $_command_file"
  IFS= read -r -d '' _command <"$_command_file" || : # it ends where the file ends
  if [[ $_command != *[![:space:]]* ]]; then
    : >"$_log"
  else
    home::fresh "$_workspace/home"
    _options=(--rw "$_workspace/tree" --home "$_workspace/home" --chdir "$_workspace/tree")
    BINDS_OPTIONS=()
    binds::objects "${ORKESTRA_GIT_DIR:-}/objects"
    binds::shared "${ORKESTRA_BINDS:-}" "$_workspace/tree"
    [[ ${ORKESTRA_CHECK_NETWORK:-0} != 1 ]] || _options+=(--net)
    limits::run _ended "$_workspace" "$_log" "$_workspace/tree" "$_workspace/home" -- "$_seconds" \
      "${_options[@]}" "${BINDS_OPTIONS[@]}" -- bash --noprofile --norc -c "$_command"
    check::_why "$LIMITS_TOOK"
    redact::files "$_log"
  fi
  printf -v "$_var" '%s' "$_ended"
}

# check::_why SECONDS: what ended it, if it was not itself.
check::_why() {
  [[ -z $PROCESS_STOPPING ]] || return 0
  if [[ -n $LIMITS_LOST ]]; then
    CHECK_ENDED="was lost: $LIMITS_LOST"
  elif [[ -n $LIMITS_REASON ]]; then
    _ended=$EX_FAILED CHECK_ENDED=$LIMITS_REASON
  elif (($1 >= _seconds && (_ended == 137 || _ended == EX_TIMEOUT))); then
    # Killed after its grace: for timeout that is 137, for us it is still the time.
    _ended=$EX_TIMEOUT CHECK_ENDED="took longer than $_seconds seconds"
  fi
}

# shellcheck shell=bash
# A check in a workspace: what check.sh does, for a worker without a program start. See the head of check.sh.

use process SAFETY/home SAFETY/binds SAFETY/sandbox

readonly CHECK_FILE_LIMIT=8589934592 # bytes: a log or a product of a build is no larger

# check::run VAR WORKSPACE COMMAND_FILE LOG_FILE SECONDS: VAR gets the check's exit status; 124 when its time was up.
# A check without a command is nothing to run, and passes.
check::run() {
  local _var=$1 _workspace=$2 _command_file=$3 _log=$4 _seconds=$5 _command _ended=0 _started=$EPOCHSECONDS
  local -a _options
  error::need_number "$_seconds" SECONDS
  [[ -d $_workspace/tree ]] || die "$EX_DATA" "check.sh: there is no $_workspace/tree"
  [[ -r $_command_file ]] || die "$EX_DATA" "check.sh: cannot read $_command_file"
  IFS= read -r -d '' _command <"$_command_file" || : # it ends where the file ends
  if [[ $_command != *[![:space:]]* ]]; then
    : >"$_log"
  else
    home::fresh "$_workspace/home"
    _options=(--rw "$_workspace/tree" --home "$_workspace/home" --chdir "$_workspace/tree" --files-limit "$CHECK_FILE_LIMIT")
    BINDS_OPTIONS=()
    binds::objects "${ORKESTRA_GIT_DIR:-}/objects"
    binds::shared "${ORKESTRA_BINDS:-}"
    [[ ${ORKESTRA_CHECK_NETWORK:-0} != 1 ]] || _options+=(--net)
    process::start_here sandbox::become --seconds "$_seconds" "${_options[@]}" "${BINDS_OPTIONS[@]}" \
      -- bash --noprofile --norc -c "$_command" >"$_log" 2>&1 </dev/null
    process::wait _ended
  fi
  # Killed after its grace: for timeout that is 137, for us it is still the time.
  ((_ended != 137 || EPOCHSECONDS - _started < _seconds)) || _ended=$EX_TIMEOUT
  printf -v "$_var" '%s' "$_ended"
}

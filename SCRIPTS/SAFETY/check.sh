#!/usr/bin/env bash
# Summary: run a check command in a workspace and keep what it said
# Usage: check.sh WORKSPACE COMMAND_FILE LOG_FILE SECONDS
# Exit: the check's own; 124 when its time was up
#
# COMMAND_FILE holds the command as text, for Bash. It runs in WORKSPACE/tree, which it may write (build output), with
# an empty HOME that is gone afterwards, nothing on stdin, and no network unless the project allows it
# (ORKESTRA_CHECK_NETWORK=1). The project's objects are there to read, so that Git works, and the shared folders that
# the file ORKESTRA_BINDS lists. TERM reaches it, and ends it after ORKESTRA_GRACE seconds at the latest.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use process SAFETY/home SAFETY/binds

readonly CHECK_FILE_LIMIT=8589934592 # bytes: a log or a product of a build is no larger

main() {
  (($# == 4)) || die "$EX_USAGE" "check.sh: four arguments are needed, see its head"
  local workspace=$1 command_file=$2 log=$3 seconds=$4 command status started=$EPOCHSECONDS
  error::need_number "$seconds" SECONDS
  [[ -d $workspace/tree ]] || die "$EX_DATA" "check.sh: there is no $workspace/tree"
  [[ -r $command_file ]] || die "$EX_DATA" "check.sh: cannot read $command_file"
  command=$(<"$command_file")
  home::fresh "$workspace/home"
  local -a options=(--rw "$workspace/tree" --home "$workspace/home" --chdir "$workspace/tree"
    --files-limit "$CHECK_FILE_LIMIT")
  binds::objects "${ORKESTRA_GIT_DIR:-}/objects"
  binds::shared "${ORKESTRA_BINDS:-}"
  [[ ${ORKESTRA_CHECK_NETWORK:-0} != 1 ]] || options+=(--net)
  process::forward
  process::run status timeout --kill-after="${ORKESTRA_GRACE:-10}" "$seconds" "$BASH" "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" \
    "${options[@]}" "${BINDS_OPTIONS[@]}" -- bash --noprofile --norc -c "$command" >"$log" 2>&1 </dev/null
  # Killed after its grace: for timeout that is 137, for us it is still the time.
  ((status != 137 || EPOCHSECONDS - started < seconds)) || status=$EX_TIMEOUT
  [[ -z $PROCESS_STOPPING ]] || status=143
  exit "$status"
}

main "$@"

#!/usr/bin/env bash
# Summary: run a check command in a workspace and keep what it said
# Usage: check.sh WORKSPACE COMMAND_FILE LOG_FILE SECONDS
# Exit: the check's own; 124 when its time was up
#
# COMMAND_FILE holds the command as text, for Bash. It runs in WORKSPACE/tree, which it may write (build output), with
# an empty HOME that is gone afterwards, nothing on stdin, and no network unless the project allows it
# (ORKESTRA_CHECK_NETWORK=1). The project's objects are there to read, so that Git works, and the shared folders that
# the file ORKESTRA_BINDS lists. TERM reaches it, and ends it after ORKESTRA_GRACE seconds at the latest. One that takes
# more time or more of anything else than it may (lib/limits.bash) is ended; stdout gets one line that says of what.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use process SAFETY/check

main() {
  (($# == 4)) || die "$EX_USAGE" "check.sh: four arguments are needed" "see the head of $0"
  local status
  process::forward
  trap limits::close EXIT
  limits::open
  check::run status "$@"
  [[ -z $CHECK_ENDED ]] || printf '%s\n' "$CHECK_ENDED"
  [[ -z $PROCESS_STOPPING ]] || status=143
  exit "$status"
}

main "$@"

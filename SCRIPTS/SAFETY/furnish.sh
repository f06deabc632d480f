#!/usr/bin/env bash
# Summary: do in a fresh workspace what the project wants done there before anybody works (`workspace.setup`)
# Usage: furnish.sh WORKSPACE COMMIT COMMAND_FILE LOG_FILE SECONDS
# Exit: the command's own; 124 when its time was up
#
# COMMAND_FILE holds the command as text, for Bash; an empty one is nothing to do. WORKSPACE is prepared at COMMIT. The
# command runs as a check does (check.sh), with network. What it leaves that Git ignores stays there while tasks land
# (`node_modules/`, `.venv/`); the rest is taken away again. It is run again where the ignored files had to go, because an
# attempt that did not land may have left them, and where its text or a lock file (lib/furnish.bash) is another one. How it
# failed, if it was not by itself, is on stdout.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use process SAFETY/furnish

main() {
  (($# == 5)) || die "$EX_USAGE" "furnish.sh: five arguments are needed" "see the head of $0"
  error::need_variables ORKESTRA_GIT_DIR ORKESTRA_BRANCH
  local status
  trap '' PIPE # a keeper that dies is told by its pipe
  process::forward
  trap limits::close EXIT
  limits::open
  furnish::run status "$@"
  keeper::end
  [[ -z $FURNISH_SAID ]] || printf '%s\n' "$FURNISH_SAID"
  [[ -z $PROCESS_STOPPING ]] || status=143
  exit "$status"
}

main "$@"

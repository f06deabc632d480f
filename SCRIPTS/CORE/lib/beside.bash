# shellcheck shell=bash
# Programs of ours that stand beside each other in a folder (gates, reviewers) and are many for one task.

# beside::become PROGRAM: this process, a fork, becomes PROGRAM. One in Bash is read by this shell, which has loaded what
# it uses, so that no second shell is started; it cannot tell the difference. Any other is executed.
beside::become() {
  local beside_program=$1 beside_line=''
  shift
  IFS= read -r beside_line 2>/dev/null <"$beside_program" || : # whatever it is, the system knows what to do with it
  [[ -x $beside_program && $beside_line == '#!/usr/bin/env bash' ]] || exec "$beside_program" "$@"
  # shellcheck source=/dev/null
  source "$beside_program"
}

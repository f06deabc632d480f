# shellcheck shell=bash
# Summary: without a sandbox, the moment before the agent starts is noted, for what is looked at afterwards

use SAFETY/walls

# What is newer than this file was written after the agent had started. A file system's clock ticks every few
# milliseconds: the agent starts after the next tick, so that nothing it writes has the same time.
validator::stamp() {
  local stamp=$VALIDATE_TICKET/stamp
  # shellcheck disable=SC2310  # a predicate
  ! has_walls || return 0
  if ! { : >"$stamp" && : >"$stamp.next"; } 2>/dev/null; then
    wrong "cannot write $stamp"
    return
  fi
  until [[ $stamp.next -nt $stamp ]]; do : >"$stamp.next"; done
  # shellcheck disable=SC2034  # for ../after/framework.bash
  VALIDATE_STAMP=$(stat -c '%i %.Y %.Z' -- "$stamp")
}

# shellcheck shell=bash
# Summary: without a sandbox, no process is left that works in the workspace

use SAFETY/walls

validator::processes() {
  local link pid name
  local -a left
  ! has_walls || return 0
  mapfile -d '' -t left < <(find /proc/[0-9]*/cwd -maxdepth 0 \( -lname "${VALIDATE_WORKSPACE//[\[\]*?\\]/?}/tree" \
    -o -lname "${VALIDATE_WORKSPACE//[\[\]*?\\]/?}/tree/*" \) -print0 2>/dev/null || true) # processes end while we look
  for link in "${left[@]}"; do
    pid=${link#/proc/}
    pid=${pid%/cwd}
    name='?'
    { IFS= read -r name <"/proc/$pid/comm"; } 2>/dev/null || true # as above
    wrong "process $pid ($name) still works in the workspace"
  done
}

# shellcheck shell=bash
# Time that passes. Bash's SECONDS and EPOCHSECONDS go with the clock: where that is set back while an agent works, it has
# worked a negative time.

# clock::passed VAR: whole seconds since the machine was started; no change of the clock moves them. Costs no process.
clock::passed() {
  local _uptime
  read -r _uptime _ </proc/uptime
  printf -v "$1" '%s' "${_uptime%%.*}"
}

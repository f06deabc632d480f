# shellcheck shell=bash
# Time that passes. Bash's SECONDS and EPOCHSECONDS go with the clock: where that is set back while an agent works, it has
# worked a negative time.

# clock::passed VAR: whole seconds since the machine was started; no change of the clock moves them. Costs no process.
clock::passed() {
  local _uptime
  read -r _uptime _ </proc/uptime
  printf -v "$1" '%s' "${_uptime%%.*}"
}

# clock::pause SECONDS: looks once a second whether the time is up, or this process was told to stop (process.bash).
clock::pause() {
  local _now _until
  clock::passed _until
  ((_until += $1)) || : # 0 right after the machine's start
  clock::passed _now
  while ((_now < _until)) && [[ -z ${PROCESS_STOPPING:-} ]]; do
    sleep 1
    clock::passed _now
  done
}

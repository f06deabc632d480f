# shellcheck shell=bash
# What a command gives as a list, and its exit status with it. (After < <() `wait $!` is not to be trusted: where two
# children end together Bash 5.2 may lose the status, and says -1.)

# list::read ARRAY COMMAND...: ARRAY gets what the command writes, split at NUL bytes. Returns its exit status, 137 when
# it was killed together with its shell.
list::read() {
  local -n _list=$1
  local _status
  shift
  # shellcheck disable=SC2312  # it comes through the pipe
  mapfile -d '' -t _list < <(list::_run "$@")
  [[ ${_list[-1]-} =~ ^exit\ ([0-9]+)$ ]] || return 137
  _status=${BASH_REMATCH[1]}
  unset '_list[-1]'
  # The last one ended with a NUL, as it should.
  [[ -n ${_list[-1]-} ]] || unset '_list[-1]'
  return "$_status"
}

list::_run() {
  local status=0
  "$@" || status=$?
  printf '\0exit %d' "$status"
}

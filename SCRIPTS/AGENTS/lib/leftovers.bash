# shellcheck shell=bash
# Without a sandbox a tool's shells can outlive it in sessions of their own. They still carry the environment that
# the agent was given, and are found by it. (With a sandbox, the end of its PID namespace has ended them.)

use SAFETY/rootfs

# leftovers::end EXCHANGE: ends every process that was given this ORKESTRA_ATTEMPT_DIR: TERM, a second, KILL.
leftovers::end() {
  local pids=() tries
  leftovers::_has_no_walls || return 0
  leftovers::_find "$1" pids
  ((${#pids[@]})) || return 0
  kill -TERM -- "${pids[@]}" 2>/dev/null || : # one that has ended needs no telling
  for ((tries = 0; tries < 10; ++tries)); do
    sleep 0.1
    leftovers::_find "$1" pids
    ((${#pids[@]})) || return 0
  done
  kill -KILL -- "${pids[@]}" 2>/dev/null || : # as above
}

# leftovers::end_below WORKSPACES: ends at once every agent and check that was given a HOME below that folder.
leftovers::end_below() {
  local files=() file
  leftovers::_has_no_walls || return 0
  mapfile -d '' -t files < <(grep -lzZF -e "HOME=$1/" /proc/[0-9]*/environ 2>/dev/null || :) # as below
  for file in "${files[@]}"; do
    file=${file#/proc/}
    kill -KILL -- "${file%/environ}" 2>/dev/null || : # one that has ended needs no killing
  done
}

leftovers::_has_no_walls() {
  case ${ORKESTRA_SANDBOX:-auto} in
    off) return 0 ;;
    required) return 1 ;;
    *)
      rootfs::load
      [[ -n $ROOTFS_REASON ]]
      ;;
  esac
}

leftovers::_find() {
  local _files=() _file
  local -n _found=$2
  _found=()
  mapfile -d '' -t _files < <(grep -lzZFx -e "ORKESTRA_ATTEMPT_DIR=$1" /proc/[0-9]*/environ 2>/dev/null || :) # none found is no error, and processes end while we look
  for _file in "${_files[@]}"; do
    _file=${_file#/proc/}
    _found+=("${_file%/environ}")
  done
}

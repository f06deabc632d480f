# shellcheck shell=bash
# Which processes there are, read from /proc without starting one.

# census::below PID VAR: how many threads PID and all that descends from it have.
census::below() {
  local -A _children=() _threads=()
  local _file _line _fields _pid _queue=("$1") _sum=0 _at
  for _file in /proc/[0-9]*/stat; do
    _pid=${_file#/proc/}
    _line=''
    # A process chooses its own name: a line break or a bracket may be in it.
    { IFS= read -r -d '' _line <"$_file"; } 2>/dev/null || : # the end of the file is no zero byte; one that has ended is gone
    read -r -a _fields <<<"${_line##*) }"
    ((${#_fields[@]} > 17)) || continue
    _children[${_fields[1]}]+=" ${_pid%/stat}"
    _threads[${_pid%/stat}]=${_fields[17]}
  done
  for ((_at = 0; _at < ${#_queue[@]}; ++_at)); do
    _pid=${_queue[_at]}
    ((_sum += ${_threads[$_pid]:-0})) || : # a sum of none is no failure
    read -r -a _fields <<<"${_children[$_pid]:-}"
    _queue+=(${_fields[@]+"${_fields[@]}"})
  done
  printf -v "$2" '%s' "$_sum"
}

# census::marked FOLDER VAR: VAR becomes a list of the processes that were given a HOME or an ORKESTRA_ATTEMPT_DIR in
# FOLDER and still have it in their environment.
census::marked() {
  [[ $1 != *$'\n'* ]] || die "$EX_DATA" "a workspace's path has a line break in it"
  local _files=() _file
  local -n _found=$2
  _found=()
  mapfile -d '' -t _files < <(grep -lazZF -e "ORKESTRA_ATTEMPT_DIR=$1/" -e "HOME=$1/" /proc/[0-9]*/environ 2>/dev/null || :) # none found is no error, and processes end while we look
  for _file in "${_files[@]}"; do
    _file=${_file#/proc/}
    _found+=("${_file%/environ}")
  done
}

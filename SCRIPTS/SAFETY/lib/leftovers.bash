# shellcheck shell=bash
# Without a sandbox what a command started can outlive it in sessions of its own. It still carries the environment that
# the command was given, and is found by it. (With a sandbox, the end of its PID namespace has ended it; but for the
# sandbox that was just being made.)

use SAFETY/census SAFETY/walls

# leftovers::end FOLDER [now]: ends every process whose HOME or ORKESTRA_ATTEMPT_DIR was in FOLDER: TERM, a second, KILL;
# with `now` KILL.
leftovers::end() {
  # shellcheck disable=SC2310  # a predicate
  ! has_walls || return 0
  leftovers::end_of_any "$@"
}

# leftovers::end_of_any FOLDER [now]: the same for commands of somebody who may have had other settings than we have.
leftovers::end_of_any() {
  local pids tries
  census::marked "$1" pids
  ((${#pids[@]})) || return 0
  if [[ ${2:-} != now ]]; then
    kill -TERM -- "${pids[@]}" 2>/dev/null || : # one that has ended needs no telling
    for ((tries = 0; tries < 10; ++tries)); do
      sleep 0.1
      census::marked "$1" pids
      ((${#pids[@]})) || return 0
    done
  fi
  leftovers::_kill "$1"
}

# What makes new ones as fast as it is ended is stopped first, until all of it stands still.
leftovers::_kill() {
  local pids before=-1 tries
  for ((tries = 0; tries < 50; ++tries)); do
    census::marked "$1" pids
    ((${#pids[@]})) || return 0
    if ((${#pids[@]} == before)); then break; fi
    before=${#pids[@]}
    kill -STOP -- "${pids[@]}" 2>/dev/null || : # as above
  done
  kill -KILL -- "${pids[@]}" 2>/dev/null || : # as above
}

# leftovers::end_unborn WORKSPACES: sandboxes of workers that are gone. A bubblewrap that is killed after it has made the
# first process of a sandbox, and before it has told it to go on, leaves that one waiting for ever: it is tied to nobody
# yet, and nothing of the command has begun.
leftovers::end_unborn() {
  local files=() file name
  mapfile -d '' -t files < <(grep -lazZF -e "$1/w" /proc/[0-9]*/cmdline 2>/dev/null || :) # none found is no error, and processes end while we look
  for file in "${files[@]}"; do
    file=${file%/cmdline} name=''
    { IFS= read -r name <"$file/comm"; } 2>/dev/null || continue            # it has just ended
    [[ $name != bwrap ]] || kill -KILL -- "${file#/proc/}" 2>/dev/null || : # as above
  done
}

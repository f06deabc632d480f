#!/usr/bin/env bats
# SCRIPTS/SAFETY/lib/leftovers.bash: what outlives a killed run is ended, and nothing else.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
}

teardown() {
  [[ -z ${MADE:-} ]] || kill -KILL "${MADE[@]}" 2>/dev/null || :
}

# unborn FOLDER: MADE gets the first process of a sandbox for FOLDER, which waits, and whose bubblewrap is dead.
unborn() {
  local outer inner=''
  mkdir -p -- "$1"
  mkfifo "$1.fifo"
  exec 5<>"$1.fifo"
  bwrap --ro-bind / / --unshare-pid --block-fd 5 --bind "$1" "$1" -- touch "$1/begun" 3>&- &
  outer=$!
  exec 5>&-
  until [[ -n $inner ]]; do read -r inner <"/proc/$outer/task/$outer/children" || :; done
  kill -KILL "$outer"
  wait "$outer" || :
  kill -0 "$inner"
  MADE+=("$inner")
}

@test "the first process of a sandbox whose bubblewrap was killed in that moment is ended, a person's is not" {
  local W="$PLACE/it's w 1" MADE=()
  unborn "$W/w1/tree"
  unborn "$W/w12/home"
  unborn "$W/attached-a/tree"
  bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/leftovers; leftovers::end_unborn "$2"' end "$SCRIPTS" "$W"
  tail --pid="${MADE[0]}" --pid="${MADE[1]}" -f /dev/null
  kill -0 "${MADE[2]}"
  [[ ! -e $W/w1/tree/begun && ! -e $W/w12/home/begun ]]
}

# shellcheck shell=bash
# A HOME for one step of one attempt.

use fresh

# home::fresh DIR: DIR is an empty folder of mode 700. What an earlier step left there is removed; where there is
# nothing to remove no process is started.
home::fresh() {
  local -a left
  if [[ ! -L $1 && -d $1 && -O $1 ]]; then
    shopt -s nullglob dotglob
    left=("$1"/*)
    shopt -u nullglob dotglob
    ((${#left[@]} > 0)) || return 0
  fi
  fresh::folder "$1"
}

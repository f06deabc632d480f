# shellcheck shell=bash
# Folders that an agent has had in its hands: emptied, or looked at with care.

use fresh

# is_plain_path BASE RELATIVE: RELATIVE names something under BASE without leaving it, and no folder on the way is a
# link (an agent may have put one there to have us read or write elsewhere).
is_plain_path() {
  local at=$1 rest=$2 part
  case /$rest/ in
    *//* | */../* | */./*) return 1 ;;
  esac
  while [[ $rest == */* ]]; do
    part=${rest%%/*}
    rest=${rest#*/}
    at+=/$part
    [[ ! -L $at ]] || return 1
  done
  return 0
}

# is_small_file PATH BYTES: a regular file, no link, of at most BYTES.
is_small_file() {
  local size
  [[ -f $1 && ! -L $1 ]] || return 1
  size=$(stat -c %s -- "$1") || return 1
  ((size <= $2))
}

# shellcheck shell=bash
# What a command needs to see beside the tree it works in, as options for sandbox.sh (appended to BINDS_OPTIONS).

use SAFETY/walls

BINDS_OPTIONS=()

# binds::shared FILE TREE: workspace.share as NUL-separated triples MODE (ro|rw) SOURCE DESTINATION, each DESTINATION
# below TREE. In a sandbox the folder is bound there; without one there is a link, and ro is not held.
binds::shared() {
  local -a triples
  local i mode from to
  [[ -s $1 ]] || return 0
  mapfile -d '' -t triples <"$1"
  ((${#triples[@]} % 3 == 0)) || die "$EX_DATA" "$1: expected MODE SOURCE DESTINATION, three by three"
  for ((i = 0; i < ${#triples[@]}; i += 3)); do
    mode=${triples[i]} from=${triples[i + 1]} to=${triples[i + 2]}
    [[ $mode == r[ow] ]] || die "$EX_DATA" "$1: a shared folder is ro or rw, not $mode"
    [[ $to == "$2"/* ]] || die "$EX_DATA" "$1: $to is not in $2"
    # shellcheck disable=SC2310  # a predicate
    if [[ ! -d $from ]] || ! binds::_has_room "$2" "${to#"$2"/}"; then continue; fi
    # shellcheck disable=SC2310  # a predicate
    if has_walls; then
      binds::_folder "$to"
      BINDS_OPTIONS+=(--bind "$mode" "$from" "$to")
    else
      binds::_link "$from" "$to"
    fi
  done
}

# binds::_has_room TREE PATH: whether everything above PATH is a folder of the tree, or is made one. Where an agent has put
# something else there, that is its change, and the folder has no place in it.
binds::_has_room() {
  local at=$1 rest=$2
  while [[ $rest == */* ]]; do
    at+=/${rest%%/*} rest=${rest#*/}
    [[ ! -L $at ]] || return 1
    [[ -d $at ]] || mkdir -- "$at" 2>/dev/null || return 1
  done
}

# What stands in the place itself is no part of a change (keeper.bash), whatever an agent makes of it.
binds::_folder() {
  [[ -L $1 || ! -d $1 ]] || return 0
  rm -rf -- "$1"
  mkdir -- "$1"
}

binds::_link() {
  [[ ! -L $2 || ! $2 -ef $1 ]] || return 0
  rm -rf -- "$2"
  ln -s -- "$1" "$2"
}

# binds::places VAR TREE: the array VAR gets the DESTINATIONs of the file ORKESTRA_BINDS, as paths below TREE.
binds::places() {
  local -n _places=$1
  local -a _triples=()
  local _i
  _places=()
  [[ ! -s ${ORKESTRA_BINDS:-} ]] || mapfile -d '' -t _triples <"$ORKESTRA_BINDS"
  for ((_i = 2; _i < ${#_triples[@]}; _i += 3)); do _places+=("${_triples[_i]#"$2"/}"); done
}

# binds::objects FOLDER: an object folder of Git and those it borrows from, so that Git works in a workspace.
binds::objects() {
  local folder=$1 depth=${2:-0} line
  [[ -d $folder ]] || return 0
  BINDS_OPTIONS+=(--ro "$folder")
  [[ -f $folder/info/alternates && $depth -lt 5 ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    case $line in
      '' | '#'*) continue ;;
      /*) ;;
      *) line=$(realpath -m -- "$folder/$line") ;;
    esac
    binds::objects "$line" "$((depth + 1))"
  done <"$folder/info/alternates"
}

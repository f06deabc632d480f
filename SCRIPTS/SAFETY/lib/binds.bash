# shellcheck shell=bash
# What a command needs to see beside the tree it works in, as options for sandbox.sh (appended to BINDS_OPTIONS).

BINDS_OPTIONS=()

# binds::shared FILE: workspace.share as NUL-separated triples MODE (ro|rw) SOURCE DESTINATION. The workspace has a
# link at the destination; the folder itself stands at its own place.
binds::shared() {
  local -a triples
  local i
  [[ -s $1 ]] || return 0
  mapfile -d '' -t triples <"$1"
  ((${#triples[@]} % 3 == 0)) || die "$EX_DATA" "$1: expected MODE SOURCE DESTINATION, three by three"
  for ((i = 0; i < ${#triples[@]}; i += 3)); do
    [[ ${triples[i]} == r[ow] ]] || die "$EX_DATA" "$1: a shared folder is ro or rw, not ${triples[i]}"
    [[ ! -e ${triples[i + 1]} ]] || BINDS_OPTIONS+=("--${triples[i]}" "${triples[i + 1]}")
  done
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

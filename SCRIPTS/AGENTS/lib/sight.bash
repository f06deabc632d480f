# shellcheck shell=bash
# What an agent may see, as options for SAFETY/sandbox.sh. All of it at its real path.

declare -ga SIGHT=()

# sight::work TREE: the tree to write, the project's objects to read, and what the project shares.
sight::work() {
  local index
  SIGHT=(--rw "$1")
  sight::_objects "${ORKESTRA_GIT_DIR:-}/objects" 0
  for ((index = 0; index < ${#TICKET_BINDS[@]}; index += 3)); do
    [[ ${TICKET_BINDS[index]} == r[ow] ]] || die "$EX_DATA" "a shared folder is ro or rw, not ${TICKET_BINDS[index]}"
    # Shared folders stand at their own place; the workspace has links to them.
    [[ ! -e ${TICKET_BINDS[index + 1]} ]] || SIGHT+=("--${TICKET_BINDS[index]}" "${TICKET_BINDS[index + 1]}")
  done
}

# sight::ballot VIEW: to read, without history and without what others voted.
sight::ballot() {
  local hidden
  SIGHT=(--ro "$1")
  for hidden in logs .git; do
    [[ ! -d $1/$hidden || -L $1/$hidden ]] || SIGHT+=(--hide "$1/$hidden")
  done
}

# sight::adapter: the adapter itself with the libraries it sources, and its tool.
sight::adapter() {
  local path
  SIGHT+=(--ro "${TICKET[adapter]}")
  [[ ${TICKET[adapter]} != "$ORKESTRA_SCRIPTS"/* ]] \
    || SIGHT+=(--ro "$ORKESTRA_SCRIPTS/AGENTS/lib" --ro "$ORKESTRA_SCRIPTS/CORE/lib")
  for path in "${TICKET_READ[@]}"; do
    [[ ! -e $path ]] || SIGHT+=(--ro "$path")
  done
}

# The object folder and those it borrows from. A relative alternate is relative to the object folder.
sight::_objects() {
  local folder=$1 depth=$2 line
  [[ -d $folder ]] || return 0
  SIGHT+=(--ro "$folder")
  [[ -f $folder/info/alternates && $depth -lt 5 ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    case $line in
      '' | '#'*) continue ;;
      /*) ;;
      *) line=$(realpath -m -- "$folder/$line") ;;
    esac
    sight::_objects "$line" "$((depth + 1))"
  done <"$folder/info/alternates"
}

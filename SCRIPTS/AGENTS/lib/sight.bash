# shellcheck shell=bash
# What an agent may see, as options for SAFETY/sandbox.sh. All of it at its real path.

use SAFETY/binds

declare -ga SIGHT=()

# sight::work TREE TICKET: the tree to write, the project's objects to read, and what the project shares.
sight::work() {
  binds::objects "${ORKESTRA_GIT_DIR:-}/objects"
  binds::shared "$2/binds" "$1"
  SIGHT=(--rw "$1" "${BINDS_OPTIONS[@]}")
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

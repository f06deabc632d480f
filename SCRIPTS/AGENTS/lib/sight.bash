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

# sight::ballot VIEW: to read, without history, without what others voted, and without who does which task.
sight::ballot() {
  local hidden
  SIGHT=(--ro "$1")
  for hidden in logs .git config/project.json config/task-queue.json; do
    # What is no folder and no file of the change itself (a link) shows nothing but what else is in the view.
    [[ ! -e $1/$hidden || -L $1/$hidden || -L $1/${hidden%/*} ]] || SIGHT+=(--hide "$1/$hidden")
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

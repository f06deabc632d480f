#!/usr/bin/env bash
# Summary: Lets what a filter of Git's keeps elsewhere (Git LFS, git-crypt) through as the project has it, and nothing else.
# Usage: tree-pointer.sh FILTER PATH     the clean filter of tree-keeper.sh: the file on stdin, what Git keeps on stdout
#   In a workspace such a file is what the repository holds: a pointer, or what is encrypted. It may be moved, copied and
#   removed there. Anything else in its place would come into the repository itself, unfiltered, and what a new pointer
#   leads to is nowhere.
# Exit: 0; 65 the project does not have this.
# Environment: GIT_DIR.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use text

main() {
  (($# == 2)) || die "$EX_USAGE" "tree-pointer.sh takes two arguments" "see the head of $0"
  error::need_variables GIT_DIR
  local blob path copy=$GIT_DIR/keeper.pointer
  cat >"$copy"
  blob=$(git hash-object --no-filters -- "$copy")
  # Not those that were taken from the tree just now.
  if ! env -u GIT_OBJECT_DIRECTORY git cat-file -e "$blob" 2>/dev/null; then
    text::plain path "$2"
    die "$EX_DATA" "$path is kept by the filter $1 of its .gitattributes, which a workspace does not have: it can be moved or removed there, not changed"
  fi
  cat -- "$copy"
}

main "$@"

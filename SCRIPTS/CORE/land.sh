#!/usr/bin/env bash
# Summary: Moves the project's branch once over a change and its records, the checkout first.
# Usage: land.sh commit PARENT TREE MESSAGE-FILE   prints the commit, which is signed where the user signs
#        land.sh move HEAD NEW                     prints the new head of the branch
#        land.sh recover                           mends what a killed landing left (`move` does so too)
#   HEAD is the commit the branch must still be on, NEW one that follows it: a change and, on it, its record.
#   The caller holds the project's landing lock.
# Exit: 0; 20 the branch moved meanwhile, nothing changed; 21 a person's uncommitted edit is in the way (its paths are
#   printed, one a line), nothing changed; 73 cannot write.
# Environment: ORKESTRA_GIT_DIR ORKESTRA_PROJECT ORKESTRA_BRANCH ORKESTRA_SIGN, and who commits: ORKESTRA_AUTHOR_NAME
#   ORKESTRA_AUTHOR_EMAIL.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use land

main() {
  local verb=${1:-}
  case "$verb $#" in
    'commit 4' | 'move 3' | 'recover 1') shift ;;
    commit* | move* | recover*) die "$EX_USAGE" "land.sh: $verb takes other arguments" "see the head of $0" ;;
    *) die "$EX_USAGE" "land.sh: '$verb' is none of commit, move, recover" "see the head of $0" ;;
  esac
  error::need_variables ORKESTRA_GIT_DIR ORKESTRA_PROJECT ORKESTRA_BRANCH
  "land::$verb" "$@"
}

main "$@"

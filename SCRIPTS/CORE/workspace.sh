#!/usr/bin/env bash
# Summary: Prepares, empties and keeps the workspace of one worker.
# Usage: workspace.sh prepare W COMMIT
#        workspace.sh take W ATTEMPT BASE          prints `TREE FILES PATCH-ID AGENT-COMMIT`
#        workspace.sh measure W ATTEMPT BASE TREE  prints `TREE FILES PATCH-ID -`
#        workspace.sh merge W BASE TREE HEAD       prints `TREE`; exit 1: they conflict, prints the files
#        workspace.sh show W TREE                  the working tree becomes exactly TREE, for reviewers to look at
#        workspace.sh keep W TASK TRY BASE TREE [AGENT-COMMIT]   prints the commit
#        workspace.sh remove W                     whatever its agent has made of names and permissions in it
#   W is the workspace's folder: git/ (our Git directory, which no agent sees), tree/ (the agent's), quarantine/.
#   ATTEMPT is the attempt's folder: diff.patch and changes.raw are written there.
#   PATCH-ID is `git patch-id --stable` of the change, `-` for an empty one.
# Exit: 0; 1 a conflict (merge); 65 the agent's tree cannot be taken; 73 cannot write; 79 there is a known key in it, and
#   ATTEMPT has it in withheld.pack (take).
# Environment: ORKESTRA_GIT_DIR ORKESTRA_BRANCH ORKESTRA_GRACE, and who commits: ORKESTRA_AUTHOR_NAME
#   ORKESTRA_AUTHOR_EMAIL.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use workspace SAFETY/limits SAFETY/launcher

main() {
  local verb=${1:-} tree own
  case "$verb $#" in
    'prepare 3' | 'take 4' | 'measure 5' | 'merge 5' | 'show 3' | 'keep 6' | 'keep 7') shift ;;
    'remove 2')
      fresh::remove "$2"
      return
      ;;
    prepare* | take* | measure* | merge* | show* | keep* | remove*)
      die "$EX_USAGE" "workspace.sh: $verb takes other arguments" "see the head of $0"
      ;;
    *) die "$EX_USAGE" "workspace.sh: '$verb' is none of prepare, take, measure, merge, show, keep, remove" "see the head of $0" ;;
  esac
  error::need_variables ORKESTRA_GIT_DIR ORKESTRA_BRANCH
  trap '' PIPE # a keeper that dies is told by its pipe
  case $verb in
    take)
      redact::folder "$2"
      workspace::take "$1" "$3"
      if ((WORKSPACE_STATUS == 0)); then
        read -r tree own <<<"$WORKSPACE_RESULT"
        [[ $tree != '=' ]] || tree=$(git::project rev-parse --verify "$3^{tree}")
        workspace::measure "$1" "$2" "$3" "$tree"
        WORKSPACE_RESULT="$tree $WORKSPACE_RESULT $own"
      elif ((WORKSPACE_STATUS == EX_WITHHELD)); then
        workspace::withhold "$1" "$2"
      fi
      ;;
    measure)
      workspace::measure "$@"
      WORKSPACE_RESULT="$4 $WORKSPACE_RESULT -"
      ;;
    *)
      if [[ $verb == prepare ]]; then
        launcher::fence "$1"
        workspace::apart "$1"
      fi
      "workspace::$verb" "$@"
      ;;
  esac
  keeper::end
  [[ -z $WORKSPACE_RESULT ]] || printf '%s\n' "$WORKSPACE_RESULT"
  ((WORKSPACE_STATUS < 2)) || die "$WORKSPACE_STATUS" "$WORKSPACE_WHY"
  exit "$WORKSPACE_STATUS"
}

main "$@"

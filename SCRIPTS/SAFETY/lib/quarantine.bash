# shellcheck shell=bash disable=SC2312  # pipefail tells of every part of a pipeline here
# Known keys in what was taken from an agent's tree, before any of it becomes the project's: an object goes along with
# `git clone`, and whatever a ref reaches with `git push --mirror`.

use git fresh SAFETY/secrets

readonly QUARANTINE_GATE=$ORKESTRA_SCRIPTS/SAFETY/gates/secrets

QUARANTINE_EVIDENCE='' # what the gate says

# has_key WORKSPACE BASE TREE COMMIT: a key is in what is new in TREE or COMMIT, the agent's own last one (`=` and `-` are
# none). WORKSPACE/look then holds what was looked at. Dies where it cannot be told.
has_key() {
  local workspace=$1 look=$1/look objects=()
  # shellcheck disable=SC2310  # a predicate that dies of what is no answer
  [[ -x $QUARANTINE_GATE ]] && is_keyed || return 1
  [[ $3 == '=' ]] || objects+=("$3")
  [[ $4 == - ]] || objects+=("$4")
  fresh::folder "$look"
  QUARANTINE_EVIDENCE=''
  # Mostly nothing new has one anywhere.
  { printf '%s\n' "${objects[@]}" "^$2" | git::quarantine "$workspace" rev-list --objects --no-object-names --stdin \
    | git::quarantine "$workspace" cat-file --batch --buffer >"$look/all"; } || quarantine::_broke
  # shellcheck disable=SC2310  # as above
  if has_form "$look/all" || has_pieces "$look/all"; then
    [[ $3 == '=' ]] || quarantine::_judge_tree "$workspace" "$2" "$3"
    [[ $4 == - || -n $QUARANTINE_EVIDENCE ]] || quarantine::_judge_commits "$workspace" "$2" "$4"
  fi
  [[ -z $QUARANTINE_EVIDENCE ]] || return 0
  fresh::remove "$look"
  return 1
}

quarantine::_broke() {
  die "$EX_INTERNAL" 'what an agent left cannot be searched for keys' 'see the space left on the disk of the workspaces'
}

# What stood in a file before is no finding; what the change adds is.
quarantine::_judge_tree() {
  local workspace=$1 look=$1/look said status=0
  git::quarantine "$workspace" diff-tree -r -z --raw "$2" "$3" >"$look/changes.raw" || quarantine::_broke
  git::quarantine "$workspace" diff-tree -p --full-index --no-renames --no-ext-diff --no-textconv "$2" "$3" \
    >"$look/diff.patch" || quarantine::_broke
  said=$(ORKESTRA_CHANGES=$look/changes.raw ORKESTRA_DIFF=$look/diff.patch GIT_DIR=$workspace/git \
    GIT_OBJECT_DIRECTORY=$workspace/quarantine "$QUARANTINE_GATE" </dev/null 2>&1) || status=$?
  ((status == 0)) || QUARANTINE_EVIDENCE=${said:-the gate ended with $status}
}

# The agent's own commits: messages, names and whatever else a commit says, names of files, and lines that came and went.
quarantine::_judge_commits() {
  local workspace=$1 look=$1/look text=$1/look/commits
  { printf '%s\n' "$3" "^$2" | git::quarantine "$workspace" rev-list --stdin \
    | git::quarantine "$workspace" cat-file --batch --buffer >"$text"; } || quarantine::_broke
  git::quarantine "$workspace" log -m --format= --name-only --no-renames "$3" "^$2" >>"$text" || quarantine::_broke
  git::quarantine "$workspace" log -m --format= -p --text --full-index --no-renames --no-ext-diff --no-textconv \
    "$3" "^$2" >"$look/log.patch" || quarantine::_broke
  awk -f "$ORKESTRA_SCRIPTS/SAFETY/lib/added-lines.awk" "$look/log.patch" | cut -f 3- >>"$text" || quarantine::_broke
  # What is too large for a patch is not shown by one.
  # shellcheck disable=SC2310  # as above
  if has_form "$text" || has_pieces "$text" || secrets::grep -qa '^Binary files ' -- "$look/log.patch"; then
    QUARANTINE_EVIDENCE="the agent's own commits: a known key"
  fi
}

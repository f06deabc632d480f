#!/usr/bin/env bash
# Summary: Turns what an agent left in a tree into Git objects. Runs inside the sandbox: the tree is hostile ground.
# Usage: tree-take.sh GIT_DIR TREE QUARANTINE BASE BRANCH
#   New objects go into the folder QUARANTINE, which has the project's as an alternate.
#   stdout: one line, `TREE-HASH COMMIT`; COMMIT is the agent's own last commit, or `-` if it made none.
# Exit: 0; 65 the tree cannot be taken, with the reason on stderr.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use git

# take::agent_commit VAR: the commit the agent's own HEAD is on, `-` when it is still where it was put. Its objects
# are packed, checked (index-pack --strict) and laid beside the quarantined ones. A .git that is broken or not a
# folder is the agent's affair: then there is nothing to keep.
take::agent_commit() {
  local git_dir=$1 base=$2 branch=$3 head='' theirs
  printf -v "$4" '%s' -
  if [[ -f .git/HEAD && ! -L .git/HEAD ]]; then IFS= read -r head <.git/HEAD || head=''; fi
  if [[ $head == "ref: refs/heads/$branch" && -f .git/refs/heads/$branch ]]; then
    IFS= read -r head <".git/refs/heads/$branch" || head=''
  fi
  [[ $head != "$base" ]] || return 0
  theirs=(env -u GIT_OBJECT_DIRECTORY git "${GIT_SETTINGS[@]}" --git-dir=.git)
  head=$("${theirs[@]}" rev-parse --verify --quiet "HEAD^{commit}" 2>/dev/null) || return 0
  if [[ $head == "$base" ]] || ! is_commit "$head"; then return 0; fi
  printf '%s\n^%s\n' "$head" "$base" \
    | "${theirs[@]}" pack-objects --quiet --revs --stdout \
    | git "${GIT_SETTINGS[@]}" --git-dir="$git_dir" index-pack --strict --stdin >/dev/null \
    || die "$EX_DATA" "the agent's own commits cannot be read"
  printf -v "$4" '%s' "$head"
}

main() {
  (($# == 5)) || die "$EX_USAGE" "tree-take.sh takes five arguments"
  local git_dir=$1 tree=$2 quarantine=$3 base=$4 branch=$5 hash commit
  error::enter "$tree"
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1
  export GIT_OBJECT_DIRECTORY=$quarantine
  local ours=(git "${GIT_SETTINGS[@]}" -c core.fsync=none --git-dir="$git_dir" --work-tree=.)
  "${ours[@]}" add --all -- . || die "$EX_DATA" "the tree that the agent left cannot be read"
  hash=$("${ours[@]}" write-tree) || die "$EX_DATA" "the tree that the agent left has a name Git refuses"
  take::agent_commit "$git_dir" "$base" "$branch" commit
  printf '%s %s\n' "$hash" "$commit"
}

main "$@"

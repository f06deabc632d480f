#!/usr/bin/env bash
# Summary: Makes a workspace's tree equal a commit. Runs inside the sandbox: the tree is hostile ground.
# Usage: tree-reset.sh GIT_DIR TREE COMMIT cold|warm|switch|exact BRANCH OBJECTS
#   cold    everything that is not of the commit goes
#   warm    ignored files stay (build caches)
#   switch  only what is tracked changes, and the tree's own .git stays (a merge brought into place)
#   exact   the same, and what is neither tracked nor ignored goes (what a check left, before reviewers look)
# Exit: 0; anything else: the tree could not be brought there, and the caller makes it anew.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use git

# A Git directory for the agent to look at and commit in: made anew each time, and never read back by us except
# through tree-take.sh. It holds HEAD on the branch's name, the project's objects as an alternate and our index.
tree::make_throwaway() {
  local git_dir=$1 commit=$2 branch=$3 objects=$4 version=0 format=''
  if ((${#commit} == 64)); then version=1 format=$'[extensions]\n\tobjectFormat = sha256\n'; fi
  local ref=.git/refs/heads/$branch
  mkdir -p -- .git/objects/info "${ref%/*}"
  printf '%s\n' "$objects" >.git/objects/info/alternates
  printf '%s\n' "$commit" >"$ref"
  printf 'ref: refs/heads/%s\n' "$branch" >.git/HEAD
  printf '[core]\n\trepositoryformatversion = %s\n\tbare = false\n%s[user]\n\tname = agent\n\temail = agent@localhost\n' \
    "$version" "$format" >.git/config
  cp -- "$git_dir/index" .git/index
}

main() {
  (($# == 6)) || die "$EX_USAGE" "tree-reset.sh takes six arguments"
  local git_dir=$1 tree=$2 commit=$3 mode=$4 branch=$5 objects=$6
  error::enter "$tree"
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1
  local ours=(git "${GIT_SETTINGS[@]}" -c core.fsync=none --git-dir="$git_dir" --work-tree=.)
  case $mode in
    switch | exact)
      "${ours[@]}" read-tree --reset -u "$commit"
      [[ $mode == switch ]] || "${ours[@]}" clean -ffdq
      return
      ;;
  esac
  rm -rf -- .git
  "${ours[@]}" read-tree --reset -u "$commit"
  case $mode in
    warm) "${ours[@]}" clean -ffdq ;;
    *) "${ours[@]}" clean -ffdxq ;;
  esac
  tree::make_throwaway "$git_dir" "$commit" "$branch" "$objects"
}

main "$@"

#!/usr/bin/env bash
# Summary: Brings a workspace's tree to a commit and turns it into Git objects. Runs in the sandbox: the tree is hostile.
# Usage: tree-keeper.sh GIT_DIR TREE QUARANTINE OBJECTS BRANCH LARGEST [SHARED...]
#   SHARED are paths in the tree that never belong to a change: folders that the project shares with it.
#   A line on stdin is a request, a line on stdout its answer: STATUS TAB RESULT TAB WHAT-WENT-WRONG (escaped as in
#   text.bash). It lives as long as its worker (CORE/lib/keeper.bash), and is idle while an agent is in the tree.
#     reset COMMIT cold|warm   the tree becomes COMMIT, with a throwaway .git for the agent; warm: ignored files stay
#     reset TREE switch|exact  only what is tracked changes, and .git stays (a merge brought into place); exact: and what
#                              is neither tracked nor ignored goes (what a check left, before reviewers look)
#     take BASE                RESULT is `TREE COMMIT`: the tree, `=` where it is that of BASE; the agent's own last
#                              commit, `-` if it made none. New objects are in QUARANTINE, which borrows from OBJECTS
# Exit: 0 when stdin ends.
# What can fail in a request says so by its status, step by step: a request is asked for its status, where set -e is off.
# shellcheck disable=SC2310
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use text git

GIT_FOLDER='' TREE='' QUARANTINE='' OBJECTS='' BRANCH='' LARGEST=0 SHARED=()
AT=''     # the commit whose tree our index is known to be
RESULT='' # of the request

# Git on the hostile tree: our Git directory, our settings. New objects are checked and made durable by our caller.
keeper::git() {
  git -C "$TREE" "${GIT_SETTINGS[@]}" -c core.fsync=none --git-dir="$GIT_FOLDER" --work-tree=. "$@" </dev/null
}

# What goes elsewhere by a person's filters does not come into the repository for want of them.
keeper::add() {
  local name settings=()
  for name in lfs git-crypt; do
    settings+=(-c "filter.$name.required=true" -c "filter.$name.clean=\"\$ORKESTRA_POINTER\" $name %f")
  done
  keeper::git "${settings[@]}" add --all "$@" -- .
}

keeper::reset() {
  local commit=$1 mode=$2
  case $mode in
    switch | exact)
      AT=''
      keeper::git read-tree --reset -u "$commit" && { [[ $mode == switch ]] || keeper::git clean -ffdq; }
      return
      ;;
  esac
  rm -rf -- "$TREE/.git" && keeper::files "$commit" "$mode" && keeper::throwaway "$commit"
}

# Where the index is at the commit already, one look says whether anything has to be done.
keeper::files() {
  local commit=$1 mode=$2 left=$GIT_FOLDER/keeper.left ignored=(--ignored)
  [[ $mode != warm ]] || ignored=()
  if [[ $AT == "$commit" ]]; then
    keeper::git status --porcelain "${ignored[@]}" >"$left" && [[ -s $left ]] || return 0
  fi
  AT=''
  keeper::git read-tree --reset -u "$commit" || return
  # A file as young as its index is looked at again, and one whose line ends are not what its attributes ask for, as
  # they are in many a repository, would count as changed. Nobody has been in this tree since.
  [[ ! -e $TREE/.gitattributes ]] || touch -d '+1 second' -- "$GIT_FOLDER/index" || return
  AT=$commit
  if [[ $mode == warm ]]; then keeper::git clean -ffdq; else keeper::git clean -ffdxq; fi
}

# A Git directory for the agent to look at and commit in: made anew each time, and never read back by us except for its
# last commit. It holds HEAD on the branch's name, the project's objects as an alternate and a copy of our index.
keeper::throwaway() {
  local commit=$1 version=0 format=''
  if ((${#commit} == 64)); then version=1 format=$'[extensions]\n\tobjectFormat = sha256\n'; fi
  cp -rL -- "$GIT_FOLDER/throwaway" "$TREE/.git" || return
  printf '%s\n' "$commit" >"$TREE/.git/refs/heads/$BRANCH"
  printf '[core]\n\trepositoryformatversion = %s\n\tbare = false\n%s[user]\n\tname = agent\n\temail = agent@localhost\n' \
    "$version" "$format" >"$TREE/.git/config"
}

# What every throwaway .git has in common.
keeper::template() {
  local template=$GIT_FOLDER/throwaway ref=$GIT_FOLDER/throwaway/refs/heads/$BRANCH
  rm -rf -- "$template"
  mkdir -p -- "$template/objects/info" "${ref%/*}"
  printf '%s\n' "$OBJECTS" >"$template/objects/info/alternates"
  printf 'ref: refs/heads/%s\n' "$BRANCH" >"$template/HEAD"
  ln -s -- ../index "$template/index"
  keeper::exclude
}

# Neither we nor the agent's own `git add` look into what is shared.
keeper::exclude() {
  local path escaped
  rm -f -- "$GIT_FOLDER/info/exclude"
  ((${#SHARED[@]} > 0)) || return 0
  for path in "${SHARED[@]}"; do
    escaped=${path//[\\]/\\\\}
    escaped=${escaped//[*]/\\*}
    escaped=${escaped//[?]/\\?}
    escaped=${escaped//[[]/\\[}
    printf '/%s\n' "${escaped// /\\ }"
  done >"$GIT_FOLDER/info/exclude"
  mkdir -- "$GIT_FOLDER/throwaway/info"
  cp -- "$GIT_FOLDER/info/exclude" "$GIT_FOLDER/throwaway/info/exclude"
}

# Without a sandbox what is shared is a link in its place, which some .gitignore may take in again.
keeper::unlink_shared() {
  local path
  for path in "${SHARED[@]}"; do
    [[ ! -L $TREE/$path ]] || rm -f -- "$TREE/$path"
  done
}

keeper::take() {
  local base=$1 hash='=' commit added=$GIT_FOLDER/keeper.added
  keeper::empty_quarantine
  keeper::unlink_shared
  ! keeper::is_too_large || return "$EX_DATA"
  export GIT_OBJECT_DIRECTORY=$QUARANTINE
  if ! keeper::add --verbose >"$added"; then
    AT=''
    unset GIT_OBJECT_DIRECTORY
    return "$EX_DATA"
  fi
  if [[ -s $added || $AT != "$base" ]]; then
    AT=''
    hash=$(keeper::git write-tree 2>/dev/null) || hash=$(keeper::tree_anew "$base") || hash=''
  fi
  unset GIT_OBJECT_DIRECTORY
  [[ -n $hash ]] || return "$EX_DATA"
  commit=$(keeper::agent_commit "$base") || return "$EX_DATA"
  RESULT="$hash $commit"
}

# A file larger than may land is not even hashed: sparse, it costs an agent nothing. What Git ignores, and what is as it
# was, may have any size.
keeper::is_too_large() {
  local path large=() skip=(-path ./.git -prune -o)
  ((LARGEST > 0)) || return 1
  for path in "${SHARED[@]}"; do skip+=(-path "./${path//[\\*?[]/?}" -prune -o); done
  # shellcheck disable=SC2312  # where it cannot look, `git add` cannot either
  mapfile -d '' -t large < <(cd -- "$TREE" && exec find . "${skip[@]}" -type f -size "+${LARGEST}c" -print0)
  for path in "${large[@]}"; do
    path=$(keeper::git ls-files --modified --others --exclude-standard -- "${path#./}") || return 0
    [[ -n $path ]] || continue
    printf '%s is larger than %s MiB (ORKESTRA_FILE_LIMIT)\n' "${path%%$'\n'*}" "$((LARGEST >> 20))" >&2
    return 0
  done
  return 1
}

# The index of a take that was killed names objects that were in the quarantine alone: every file is looked at again.
keeper::tree_anew() {
  keeper::git read-tree "$1" && keeper::add && keeper::git write-tree
}

keeper::empty_quarantine() {
  local path left=()
  for path in "$QUARANTINE"/* "$QUARANTINE"/.[!.]*; do
    [[ ${path##*/} == info || ! -e $path ]] || left+=("$path")
  done
  ((${#left[@]} == 0)) || rm -rf -- "${left[@]}"
}

# The commit the agent's own HEAD is on, `-` when it is still where it was put. Its objects are packed, checked
# (index-pack --strict) and laid beside the quarantined ones. A .git that is broken or not a folder is the agent's
# affair: then there is nothing to keep.
keeper::agent_commit() {
  local base=$1 head='' theirs place=$TREE/.git
  if [[ -f $place/HEAD && ! -L $place/HEAD ]]; then IFS= read -r -n 300 head <"$place/HEAD" || head=''; fi
  if [[ $head == "ref: refs/heads/$BRANCH" && -f $place/refs/heads/$BRANCH ]]; then
    IFS= read -r -n 300 head <"$place/refs/heads/$BRANCH" || head=''
  fi
  theirs=(git -C "$TREE" "${GIT_SETTINGS[@]}" --git-dir=.git)
  [[ $head == "$base" ]] || head=$("${theirs[@]}" rev-parse --verify --quiet "HEAD^{commit}" 2>/dev/null </dev/null) || head=$base
  if [[ $head == "$base" ]] || ! is_commit "$head"; then
    printf '%s' -
    return
  fi
  if ! printf '%s\n^%s\n' "$head" "$base" \
    | "${theirs[@]}" pack-objects --quiet --revs --stdout \
    | GIT_OBJECT_DIRECTORY=$QUARANTINE git "${GIT_SETTINGS[@]}" --git-dir="$GIT_FOLDER" index-pack --strict --stdin >/dev/null; then
    printf "the agent's own commits cannot be read\n" >&2
    return "$EX_DATA"
  fi
  ! keeper::has_too_large "$head" "$base" || return "$EX_DATA"
  printf '%s' "$head"
}

# An object of the agent's own commits may be as large, though no file ever was.
keeper::has_too_large() {
  local size
  ((LARGEST > 0)) || return 1
  # shellcheck disable=SC2312  # one that cannot be read ends the reading, and stops whoever goes on with it
  while IFS= read -r size; do
    [[ ! $size =~ ^[0-9]+$ ]] || ((size > LARGEST)) || continue
    printf "the agent's own commits hold an object larger than %s MiB (ORKESTRA_FILE_LIMIT)\n" "$((LARGEST >> 20))" >&2
    return 0
  done < <(
    export GIT_OBJECT_DIRECTORY=$QUARANTINE
    keeper::git rev-list --objects --no-object-names "$1" "^$2" \
      | git --git-dir="$GIT_FOLDER" cat-file --batch-check='%(objectsize)'
  )
  return 1
}

main() {
  (($# >= 6)) || die "$EX_USAGE" "tree-keeper.sh takes six arguments or more" "see the head of $0"
  GIT_FOLDER=$1 TREE=$2 QUARANTINE=$3 OBJECTS=$4 BRANCH=$5 LARGEST=$6
  SHARED=("${@:7}")
  [[ -d $GIT_FOLDER && -d $TREE ]] || die "$EX_USAGE" "tree-keeper.sh: there is no $GIT_FOLDER or no $TREE" "see the head of $0"
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1
  export ORKESTRA_POINTER=$ORKESTRA_SCRIPTS/CORE/tree-pointer.sh
  local line fields status wrong said=$GIT_FOLDER/keeper.said
  # Of a keeper that was killed.
  [[ ! -e $GIT_FOLDER/index.lock ]] || rm -f -- "$GIT_FOLDER/index.lock"
  keeper::template
  while IFS= read -r line; do
    IFS=$'\t' read -r -a fields <<<"$line"
    status=0 wrong='' RESULT=''
    "keeper::${fields[0]}" "${fields[@]:1}" 2>"$said" || status=$?
    ((status == 0)) || IFS= read -r -n 500 wrong <"$said" || : # nothing was said
    text::escape wrong "${wrong#orkestra: }"
    printf '%s\t%s\t%s\n' "$status" "$RESULT" "$wrong"
  done
}

main "$@"

# shellcheck shell=bash disable=SC2312,SC2034  # land.sh reads what is set here
# The person's checkout, brought along by a landing. Nothing that a person has not committed is ever overwritten.
#
# The order is from ENGINE's measurements: take Git's own index.lock, look for anything in the way, bring the files to
# the new commit with a private copy of the index, let the branch move, put that index in place, let the lock go. So
# at no moment can a `git commit -a` of a person undo a landing, and a kill at any moment can be finished afterwards:
#   CHECKOUT_GIT/orkestra-landing   `OLD NEW`; index.lock is a hard link to it, so that our lock is told from others'
#   CHECKOUT_GIT/orkestra-index     the index that will be put in place

use list git

CHECKOUT_DIR='' CHECKOUT_GIT=''
CHECKOUT_OBSTACLES=()           # paths that a person's edits hold
readonly CHECKOUT_LOCK_TRIES=50 # of a tenth of a second: how long another Git may hold the index

# checkout::find: sets CHECKOUT_DIR and CHECKOUT_GIT to the work tree that has the branch checked out, empty if none.
checkout::find() {
  local head='' line path='' lines=()
  CHECKOUT_DIR='' CHECKOUT_GIT=''
  if [[ $ORKESTRA_GIT_DIR == "$ORKESTRA_PROJECT/.git" && -f $ORKESTRA_GIT_DIR/HEAD ]]; then
    IFS= read -r head <"$ORKESTRA_GIT_DIR/HEAD" || [[ -n $head ]]
    if [[ $head == "ref: refs/heads/$ORKESTRA_BRANCH" ]]; then
      CHECKOUT_DIR=$ORKESTRA_PROJECT CHECKOUT_GIT=$ORKESTRA_GIT_DIR
      return
    fi
  fi
  [[ -d $ORKESTRA_GIT_DIR/worktrees || $ORKESTRA_GIT_DIR != "$ORKESTRA_PROJECT/.git" ]] || return 0
  # Git does not know where the checkout of a Git folder is that stands elsewhere (--separate-git-dir).
  if [[ -f $ORKESTRA_PROJECT/.git ]]; then
    path=$(git -C "$ORKESTRA_PROJECT" rev-parse --absolute-git-dir)
    IFS= read -r head <"$path/HEAD" || [[ -n $head ]]
    if [[ $head == "ref: refs/heads/$ORKESTRA_BRANCH" ]]; then
      CHECKOUT_DIR=$ORKESTRA_PROJECT CHECKOUT_GIT=$path
      return
    fi
  fi
  list::read lines git::project worktree list --porcelain -z
  for line in "${lines[@]}"; do
    case $line in
      'worktree '*) path=${line#worktree } ;;
      "branch refs/heads/$ORKESTRA_BRANCH") [[ ! -e $path/.git ]] || CHECKOUT_DIR=$path ;;
    esac
  done
  [[ -z $CHECKOUT_DIR ]] || CHECKOUT_GIT=$(git -C "$CHECKOUT_DIR" rev-parse --absolute-git-dir)
}

# checkout::lock OLD NEW: Git's own lock on the index. CHECKOUT_LOCKED is empty when another Git keeps it.
checkout::lock() {
  CHECKOUT_LOCKED=''
  local tries=0 marker=$CHECKOUT_GIT/orkestra-landing
  [[ ! -e $CHECKOUT_GIT/orkestra-index.lock ]] || rm -f -- "$CHECKOUT_GIT/orkestra-index.lock"
  [[ ! -e $marker ]] || rm -f -- "$marker" # a new file: an index.lock of old must not be the same one
  printf '%s %s\n' "$1" "$2" >"$marker"
  # link(2) either makes the lock or fails: a person's Git may hold it, and lets it go without telling anyone.
  until ln -T -- "$marker" "$CHECKOUT_GIT/index.lock" 2>/dev/null; do
    if ((++tries > CHECKOUT_LOCK_TRIES)); then
      rm -f -- "$marker"
      return
    fi
    sleep 0.1
  done
  CHECKOUT_LOCKED=1
  # After a power cut, too, it is known that a landing was under way.
  sync -- "$marker" "$CHECKOUT_GIT"
  if [[ -f $CHECKOUT_GIT/index ]]; then
    # -p: Git takes a file as young as its index for possibly changed, and must go on doing so.
    cp -p -- "$CHECKOUT_GIT/index" "$CHECKOUT_GIT/orkestra-index"
  else
    checkout::_git read-tree --empty
  fi
}

# The lock goes first: what is left without it means that nothing is half done.
checkout::unlock() {
  local ours=()
  [[ ! $CHECKOUT_GIT/index.lock -ef $CHECKOUT_GIT/orkestra-landing ]] || ours=("$CHECKOUT_GIT/index.lock")
  rm -f -- "${ours[@]}" "$CHECKOUT_GIT/orkestra-index" "$CHECKOUT_GIT/orkestra-landing"
}

# Puts the new index in place and lets the lock go, in this order.
checkout::commit_index() {
  mv -fT -- "$CHECKOUT_GIT/orkestra-index" "$CHECKOUT_GIT/index"
  checkout::unlock
}

checkout::_git() {
  GIT_INDEX_FILE=$CHECKOUT_GIT/orkestra-index git::checkout "$CHECKOUT_GIT" "$CHECKOUT_DIR" "$@"
}

# checkout::obstacles OLD NEW: fills CHECKOUT_OBSTACLES with every path of the change where the checkout is not just
# what OLD says: staged, edited, deleted, or in the way of a file that is added (even an ignored one, which Git itself
# would overwrite without a word). A path that is already what NEW wants is none: the private index is told so.
checkout::obstacles() {
  local old=$1 new=$2 meta path i found=() dirty=()
  local -A concerned=()
  CHECKOUT_OBSTACLES=()
  list::read found git::project diff-tree -r -z --raw --no-renames "$old" "$new"
  for ((i = 0; i < ${#found[@]}; i += 2)); do
    meta=${found[i]} path=${found[i + 1]}
    concerned[$path]=$meta
    [[ $meta != *' A' ]] || ! checkout::_occupied "$path" || dirty+=("$path")
  done
  ((${#concerned[@]} > 0)) || return 0
  # XY PATH for each tracked path whose index or file is not what the branch says. An added path that is staged is
  # here too, and has been seen above.
  list::read found checkout::_git status --porcelain=v1 -z --untracked-files=no --no-renames --ignore-submodules=all
  for path in "${found[@]}"; do
    path=${path:3}
    [[ -z ${concerned[$path]:-} || ${concerned[$path]} == *' A' ]] || dirty+=("$path")
  done
  for path in "${dirty[@]}"; do
    checkout::_arrived "$path" "${concerned[$path]}" || CHECKOUT_OBSTACLES+=("$path")
  done
}

# Whether PATH is already what the change makes of it: then the private index gets its entry.
checkout::_arrived() {
  local path=$1 mode to found
  read -r _ mode _ to _ <<<"$2"
  checkout::_hash found "$path" "${#to}"
  [[ $found == "$to" ]] || return 1
  printf '%s %s\t%s\0' "$mode" "$to" "$path" | checkout::_git update-index -z --index-info
  checkout::_git update-index -q --refresh >/dev/null || : # says 1 where other files differ
}

# Whether something stands where PATH, or a folder above it, is to be made: a file, a link, a folder that holds
# anything Git does not track. Paths that this change removes are Git's own to move out of the way.
checkout::_occupied() {
  local path=$1 part=$1 others
  if [[ -e $CHECKOUT_DIR/$path || -L $CHECKOUT_DIR/$path ]]; then
    [[ -d $CHECKOUT_DIR/$path && ! -L $CHECKOUT_DIR/$path ]] || return 0
    others=$(checkout::_git ls-files --others -- "$path")
    [[ -n $others ]]
    return
  fi
  while [[ $part == */* ]]; do
    part=${part%/*}
    [[ -z ${concerned[$part]:-} ]] || continue
    if [[ -L $CHECKOUT_DIR/$part ]] || [[ -e $CHECKOUT_DIR/$part && ! -d $CHECKOUT_DIR/$part ]]; then return 0; fi
  done
  return 1
}

# checkout::update OLD NEW: the files and the private index go from OLD to NEW; other edits stay. A file that was only
# touched looks changed to the index until it is refreshed, which is dear and rarely needed.
checkout::update() {
  checkout::_git read-tree -m -u "$1" "$2" 2>/dev/null && return
  checkout::_git update-index -q --refresh >/dev/null || : # says 1 where files differ: those are a person's, and stay
  checkout::_git read-tree -m -u "$1" "$2"
}

# checkout::find_interrupted: CHECKOUT_INTERRUPTED says whether a killed landing left its lock, or somebody has removed
# that lock since, as Git itself advises: then it is taken again. CHECKOUT_DIR and CHECKOUT_GIT are set.
checkout::find_interrupted() {
  local marker old new
  CHECKOUT_INTERRUPTED=''
  checkout::find
  [[ -n $CHECKOUT_DIR && -f $CHECKOUT_GIT/orkestra-landing ]] || return 0
  if [[ $CHECKOUT_GIT/index.lock -ef $CHECKOUT_GIT/orkestra-landing ]]; then
    CHECKOUT_INTERRUPTED=1
    return
  fi
  marker=$CHECKOUT_GIT/orkestra-landing
  if read -r old new <"$marker"; then
    checkout::_compare_index "$old" "$new"
    if [[ -n $CHECKOUT_INDEX_IS_OLD ]] && ln -T -- "$marker" "$CHECKOUT_GIT/index.lock" 2>/dev/null; then
      CHECKOUT_INTERRUPTED=1
      return
    fi
  fi
  # The kill came while the lock was taken or let go: nothing is half done.
  rm -f -- "$marker" "$CHECKOUT_GIT/orkestra-index"
}

# checkout::_compare_index OLD NEW: CHECKOUT_INDEX_IS_OLD says whether the index has of each path of the change what OLD
# has: the landing did not get as far as to put its own in place, and nobody has staged anything there.
checkout::_compare_index() {
  local path found
  local -A changed=()
  CHECKOUT_INDEX_IS_OLD=1
  # shellcheck disable=SC2310  # one of the commits is gone
  list::read found git::project diff-tree -r -z --name-only --no-renames "$1" "$2" 2>/dev/null || CHECKOUT_INDEX_IS_OLD=''
  [[ -n $CHECKOUT_INDEX_IS_OLD ]] || return 0
  for path in "${found[@]}"; do changed[$path]=1; done
  list::read found git::checkout "$CHECKOUT_GIT" "$CHECKOUT_DIR" diff-index --cached -z --name-only --no-renames "$1"
  for path in "${found[@]}"; do
    [[ -z ${changed[$path]:-} ]] || CHECKOUT_INDEX_IS_OLD=''
  done
}

# checkout::settle OLD NEW: brings every path of the change to NEW, from wherever the kill left it. CHECKOUT_EDITED says
# whether a person has edited one since: that one is left alone. The private index is made anew.
checkout::settle() {
  local old=$1 new=$2 meta path found mode from to status changes=$CHECKOUT_GIT/orkestra-changes wanted=() gone=()
  CHECKOUT_EDITED=''
  rm -f -- "$CHECKOUT_GIT/orkestra-index" "$CHECKOUT_GIT/orkestra-index.lock"
  cp -p -- "$CHECKOUT_GIT/index" "$CHECKOUT_GIT/orkestra-index"
  git::project diff-tree -r -z --raw --no-renames "$old" "$new" >"$changes"
  while IFS= read -r -d '' meta && IFS= read -r -d '' path; do
    # :OLDMODE NEWMODE OLDHASH NEWHASH STATUS
    read -r _ mode from to status <<<"$meta"
    printf '%s %s\t%s\0' "$mode" "$to" "$path" >&4
    checkout::_hash found "$path" "${#to}"
    if [[ $found != "$from" && $found != "$to" ]] && ! checkout::_begun "$path" "$from" "$to"; then
      CHECKOUT_EDITED=1
    elif [[ $status == D ]]; then
      gone+=("$path")
    else
      wanted+=("$path")
    fi
  done <"$changes" 4>"$CHECKOUT_GIT/orkestra-entries"
  checkout::_git update-index -z --index-info <"$CHECKOUT_GIT/orkestra-entries"
  rm -f -- "$CHECKOUT_GIT/orkestra-entries" "$changes"
  checkout::_remove "${gone[@]}"
  ((${#wanted[@]} == 0)) || printf '%s\0' "${wanted[@]}" | checkout::_git checkout-index -f -z --stdin
  checkout::_git update-index -q --refresh >/dev/null || : # says 1 where a person's edits differ
}

# checkout::bring_back_folders OLD NEW: Git removes a folder with the last file in it. Where a landing is taken back, a
# folder that was empty before (src/ of a new project) stands again.
checkout::bring_back_folders() {
  local path added=()
  list::read added git::project diff-tree -r -z --name-only --no-renames --diff-filter=A "$1" "$2"
  for path in "${added[@]}"; do
    [[ $path == */* ]] || continue
    path=$CHECKOUT_DIR/${path%%/*}
    [[ -e $path || -L $path ]] || mkdir -- "$path"
  done
}

# checkout::_begun PATH BLOB...: whether the file is what a Git that was killed leaves of one of the blobs: it removes the
# old file, makes the new one and writes it from its beginning, so far as whole pages. None of it is a person's.
checkout::_begun() {
  local path=$CHECKOUT_DIR/$1 name=$1 blob size
  [[ -e $path || -L $path ]] || return 0
  [[ -f $path && ! -L $path ]] || return 1
  size=$(stat -c %s -- "$path")
  ((size % 4096 == 0)) || return 1
  shift
  for blob in "$@"; do
    [[ ! $blob =~ ^0+$ ]] || continue
    # Git stops to write when cmp has seen enough.
    if cmp --silent --bytes="$size" -- "$path" \
      <(checkout::_git cat-file --filters --path="$name" "$blob" 2>/dev/null); then return 0; fi
  done
  return 1
}

# Removes tracked files that the change removes, and the folders that this leaves empty, as Git does.
checkout::_remove() {
  local path
  for path in "$@"; do
    rm -f -- "$CHECKOUT_DIR/$path"
    while [[ $path == */* ]]; do
      path=${path%/*}
      rmdir -- "$CHECKOUT_DIR/$path" 2>/dev/null || break
    done
  done
}

# checkout::_hash VAR PATH LENGTH: the blob that the working file would be; LENGTH zeros when there is none; empty when
# it is something else.
checkout::_hash() {
  local _path=$CHECKOUT_DIR/$2 _text
  if [[ -L $_path ]]; then
    _text=$(readlink -n -- "$_path" && printf x)
    _text=$(printf '%s' "${_text%x}" | git::project hash-object --stdin)
  elif [[ -f $_path ]]; then
    _text=$(checkout::_git hash-object --path="$2" -- "$_path")
  elif [[ -e $_path ]]; then
    _text=''
  else
    printf -v _text '%0*d' "$3" 0
  fi
  printf -v "$1" '%s' "$_text"
}

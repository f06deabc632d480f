# shellcheck shell=bash
# The one move of the branch: what land.sh offers as a command, for the worker without a program start. See its head
# for what each function takes, prints and returns. The caller holds the project's landing lock.

use log git checkout

readonly LAND_MOVED=20 LAND_IN_THE_WAY=21
readonly LAND_INTENT=refs/orkestra/landing # keeps the new commits from a `git gc` until the branch holds them

# A commit, signed where the user signs.
land::commit() {
  local parent=$1 tree=$2 message=$3 said
  if [[ ${ORKESTRA_SIGN:-} != 1 ]]; then
    git::project commit-tree -p "$parent" -F "$message" "$tree"
    return
  fi
  said=$(git "${GIT_SETTINGS[@]}" --git-dir="$ORKESTRA_GIT_DIR" commit-tree -S -p "$parent" -F "$message" "$tree" 2>&1) \
    || die "$EX_CANNOT_WRITE" "the commit cannot be signed: ${said//$'\n'/ }" "try it by hand: git commit --allow-empty -S"
  printf '%s\n' "${said##*$'\n'}"
}

# The branch moves by compare-and-swap, or not at all. LAND_SWAPPED says whether it did: not Git's exit status, since a
# Git that was killed may have moved it. LAND_WHY is what Git says where it cannot although the branch is still on OLD.
LAND_SWAPPED='' LAND_WHY=''
land::_swap() {
  local old=$1 new=$2 now=''
  LAND_SWAPPED='' LAND_WHY=''
  if land::_update "$new" "$old" 2>/dev/null; then
    LAND_SWAPPED=1
    return
  fi
  git::head now
  if [[ $now == "$old" ]]; then
    git::clear_locks "refs/heads/$ORKESTRA_BRANCH"
    LAND_WHY=$(land::_update "$new" "$old" 2>&1) || LAND_WHY=${LAND_WHY:-git update-ref failed}
    git::head now
  fi
  if [[ $now == "$new" ]]; then LAND_SWAPPED=1; elif [[ $now != "$old" ]]; then LAND_WHY=''; fi
}

land::_update() {
  git::project update-ref -m 'orkestra: land' "refs/heads/$ORKESTRA_BRANCH" "$@"
}

# Nothing has changed: the branch moved meanwhile, or cannot be moved at all.
land::_not_moved() {
  [[ -n $LAND_WHY ]] || exit "$LAND_MOVED"
  die "$EX_CANNOT_WRITE" "the branch $ORKESTRA_BRANCH cannot be moved: ${LAND_WHY%%$'\n'*}" \
    "see the space left and the rights of $ORKESTRA_GIT_DIR, then start again: nothing is lost"
}

land::move() {
  local head=$1 new=$2
  ERROR_WRITING="the checkout ${ORKESTRA_PROJECT} or its $ORKESTRA_GIT_DIR"
  [[ -d $ORKESTRA_GIT_DIR/orkestra ]] || mkdir -p -- "$ORKESTRA_GIT_DIR/orkestra"
  land::_recover # finds the checkout too; of a worker of this run that was killed, maybe
  git::own_ref "$LAND_INTENT" "$new"
  if [[ -z $CHECKOUT_DIR ]]; then
    land::_swap "$head" "$new"
    [[ -n $LAND_SWAPPED ]] || land::_not_moved
    printf '%s\n' "$new"
    return
  fi
  checkout::lock "$head" "$new"
  # shellcheck disable=SC2153  # set by checkout::find
  [[ -n $CHECKOUT_LOCKED ]] || land::_blocked "$CHECKOUT_GIT/index.lock (Git is busy in the checkout)"
  checkout::obstacles "$head" "$new"
  if ((${#CHECKOUT_OBSTACLES[@]} > 0)); then
    checkout::unlock
    land::_blocked "${CHECKOUT_OBSTACLES[@]}"
  fi
  checkout::update "$head" "$new"
  land::_swap "$head" "$new"
  if [[ -z $LAND_SWAPPED ]]; then
    checkout::update "$new" "$head"
    checkout::bring_back_folders "$head" "$new"
    checkout::unlock
    land::_not_moved
  fi
  checkout::commit_index
  printf '%s\n' "$new"
}

land::_blocked() {
  printf '%s\n' "$@"
  exit "$LAND_IN_THE_WAY"
}

# What a killed landing left is mended before anything else lands; the lock's own file says from where to where it went.
# The branch is the truth: where it has arrived the checkout is brought along, where it has not the files go back, and
# the work is done or landed again. A file that a person has edited since stays as it is.
land::recover() {
  # shellcheck disable=SC2034  # error.bash
  ERROR_WRITING="the checkout ${ORKESTRA_PROJECT} or its $ORKESTRA_GIT_DIR"
  land::_recover
}

land::_recover() {
  local old new head
  checkout::find_interrupted
  [[ -n $CHECKOUT_INTERRUPTED ]] || return 0
  read -r old new <"$CHECKOUT_GIT/orkestra-landing"
  git::clear_locks "refs/heads/$ORKESTRA_BRANCH"
  git::head head
  if [[ $head == "$old" ]]; then
    checkout::settle "$new" "$old"
    checkout::bring_back_folders "$old" "$new"
    checkout::unlock
    log::write info "took back a landing that was interrupted before the branch moved to $new"
  elif [[ $head == "$new" ]] || git::project merge-base --is-ancestor "$new" "$head"; then
    checkout::settle "$old" "$new"
    checkout::commit_index
    log::write info "brought the checkout along after the landing of $new was interrupted"
  else
    checkout::unlock
    log::write warn "a landing was interrupted and the branch has gone elsewhere: the checkout is left as it is"
  fi
  [[ -z $CHECKOUT_EDITED ]] || log::write warn "files that were edited since then are left as they are"
}

#!/usr/bin/env bash
# Summary: Goes to the project's remote for a run, so that nobody else waits for the network: one errand at a time.
# Usage: courier.sh     (started by orchestrator.sh, with its environment and ORKESTRA_RUN)
#   What the next errand is, and what follows from how it went, is decided by the store (remote.py):
#     push REMOTE SOURCE REF     never forced
#     fetch REMOTE BRANCH        and the branches of pull requests
#     bring OLD NEW              the project's branch, and the checkout with it, from a commit to a later one
#     find REMOTE BRANCH         pull requests from BRANCH, whatever their state, as JSON
#     open REMOTE BRANCH BASE    a pull request; title and body are in the folder
#     look URL                   the state of a pull request, as JSON
#   What the errand's command prints is left in ORKESTRA_RUNTIME/remote/ (out, err) for the store to read.
# Exit: 0 no errand is left; 143 told to stop; 70 the store is gone or something broke.
# Environment: ORKESTRA_GIT_DIR ORKESTRA_PROJECT ORKESTRA_BRANCH ORKESTRA_RUNTIME ORKESTRA_GRACE
#   ORKESTRA_REMOTE_TIMEOUT (seconds for one command), and whatever the user's own Git needs.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log process store git away

STATUS=0 FOLDER=''

courier::leave() {
  exit 143
}

courier::away() {
  away::run STATUS "$FOLDER" "$@"
  [[ -z $PROCESS_STOPPING ]] || courier::leave
}

courier::push() {
  away::push STATUS "$FOLDER" "$@"
  [[ -z $PROCESS_STOPPING ]] || courier::leave
}

courier::fetch() {
  local remote=$1 branch=$2
  courier::away git "${GIT_SETTINGS[@]}" --git-dir="$ORKESTRA_GIT_DIR" fetch --no-tags --no-recurse-submodules \
    --no-write-fetch-head -- "$remote" "+refs/heads/$branch:refs/remotes/$remote/$branch" \
    "+refs/heads/orkestra/*:refs/remotes/$remote/orkestra/*"
}

# A landing takes a moment and is not interrupted.
courier::bring() {
  process::shield
  exec 8>>"$ORKESTRA_GIT_DIR/orkestra/landing.lock"
  flock 8
  process::run STATUS "$ORKESTRA_SCRIPTS/CORE/land.sh" move "$1" "$2" >"$FOLDER/out"
  exec 8>&-
  process::on_stop courier::leave
}

# The repository in which pull requests are, as gh takes it: the remote's address, without a key in it. In VAR.
courier::_repository() {
  local _url
  _url=$(git --git-dir="$ORKESTRA_GIT_DIR" remote get-url -- "$2") || _url=''
  [[ ! $_url =~ ^([A-Za-z+]+://)[^/@]*@(.*)$ ]] || _url=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  printf -v "$1" '%s' "$_url"
}

courier::find() {
  local repository
  courier::_repository repository "$1"
  courier::away gh pr list --repo "$repository" --head "$2" --state all --limit 20 --json url,state,headRefOid
}

courier::open() {
  local repository title
  courier::_repository repository "$1"
  title=$(<"$FOLDER/title")
  courier::away gh pr create --repo "$repository" --head "$2" --base "$3" --title "$title" --body-file "$FOLDER/body"
}

courier::look() {
  courier::away gh pr view "$1" --json state
}

main() {
  (($# == 0)) || die "$EX_USAGE" "courier.sh takes no argument" "see the head of $0"
  error::need_variables ORKESTRA_RUN ORKESTRA_RUNTIME ORKESTRA_GIT_DIR ORKESTRA_PROJECT
  FOLDER=$ORKESTRA_RUNTIME/remote
  process::on_stop courier::leave
  store::connect courier
  while [[ -z $PROCESS_STOPPING ]]; do
    store::ask errand
    case ${STORE_REPLY[0]} in
      stop) break ;;
      push | fetch | bring | find | open | look) "courier::${STORE_REPLY[0]}" "${STORE_REPLY[@]:1}" ;;
      *) die "$EX_INTERNAL" "the store gave an errand that there is not" ;;
    esac
    store::ask back "$STATUS"
    case ${STORE_REPLY[0]:-} in
      say) say "${STORE_REPLY[1]}" ;;
      warn) warn "${STORE_REPLY[1]}" ;;
    esac
  done
  [[ -z $PROCESS_STOPPING ]] || exit 143
}

main "$@"

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
use log process store git

STATUS=0 FOLDER=''

courier::leave() {
  exit 143
}

# courier::away COMMAND...: runs it with the user's own settings and keys, within the time limit. It has no terminal, no
# input and none of our descriptors, so that it can ask nobody anything and whatever it leaves behind (an agent for
# keys, a shared connection) holds nothing of ours.
# shellcheck disable=SC2034  # PROCESS_*: for process.bash
courier::away() {
  PROCESS_BUSY=1
  courier::_become "$@" &
  PROCESS_PID=$!
  [[ -z $PROCESS_STOPPING ]] || process::stop TERM
  process::wait STATUS
  [[ -z $PROCESS_STOPPING ]] || courier::leave
}

courier::_become() {
  local fd
  trap - ERR TERM INT HUP
  exec </dev/null >"$FOLDER/out" 2>"$FOLDER/err"
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ $fd != [012] && $fd =~ ^[0-9]+$ ]] || continue
    exec {fd}>&-
  done
  export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS='' SSH_ASKPASS_REQUIRE=never GCM_INTERACTIVE=never
  export GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1 NO_COLOR=1 LC_ALL=C
  courier::_quiet_ssh
  cd -- "$ORKESTRA_PROJECT"
  exec setpriv --pdeathsig KILL -- setsid -- timeout --kill-after="$ORKESTRA_GRACE" "$ORKESTRA_REMOTE_TIMEOUT" \
    setpriv --pdeathsig KILL -- "$@"
}

# OpenSSH is told to ask nothing; another program that the user has put in its place has no terminal to ask at.
courier::_quiet_ssh() {
  local command=${GIT_SSH_COMMAND:-}
  [[ -z ${GIT_SSH:-} ]] || return 0
  [[ -n $command ]] || command=$(git --git-dir="$ORKESTRA_GIT_DIR" config --get core.sshCommand) || command=ssh
  [[ $command =~ ^([^ ]*/)?ssh( |$) ]] || return 0
  export GIT_SSH_COMMAND="$command -o BatchMode=yes"
}

courier::push() {
  local remote=$1 source=$2 ref=$3
  courier::away git "${GIT_SETTINGS[@]}" -c push.recurseSubmodules=no -c push.followTags=false \
    --git-dir="$ORKESTRA_GIT_DIR" push --porcelain --no-verify -- "$remote" "$source:$ref"
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
  (($# == 0)) || die "$EX_USAGE" "courier.sh takes no argument"
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

# shellcheck shell=bash
# Commands that go to a project's remote, with the user's own settings and keys, within the time limit. They have no
# terminal, no input and none of our descriptors, so that they can ask nobody anything and whatever they leave behind (an
# agent for keys, a shared connection) holds nothing of ours.
#
# Environment: ORKESTRA_GIT_DIR ORKESTRA_PROJECT ORKESTRA_GRACE ORKESTRA_REMOTE_TIMEOUT

use process git

# away::run VAR FOLDER COMMAND...: what it prints is left in FOLDER (out, err), VAR gets its exit status. The caller looks
# at PROCESS_STOPPING.
# shellcheck disable=SC2034  # PROCESS_*: for process.bash
away::run() {
  PROCESS_BUSY=1
  away::_become "${@:2}" &
  PROCESS_PID=$!
  [[ -z $PROCESS_STOPPING ]] || process::stop TERM
  process::wait "$1"
}

# away::push VAR FOLDER REMOTE SOURCE REF: never forced, and no hook runs.
away::push() {
  away::run "$1" "$2" git "${GIT_SETTINGS[@]}" -c push.recurseSubmodules=no -c push.followTags=false \
    --git-dir="$ORKESTRA_GIT_DIR" push --porcelain --no-verify -- "$3" "$4:$5"
}

away::_become() {
  local folder=$1 fd
  shift
  trap - ERR TERM INT HUP
  exec </dev/null >"$folder/out" 2>"$folder/err"
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ $fd != [012] && $fd =~ ^[0-9]+$ ]] || continue
    exec {fd}>&-
  done
  export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS='' SSH_ASKPASS_REQUIRE=never GCM_INTERACTIVE=never
  export GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1 NO_COLOR=1 LC_ALL=C
  away::_quiet_ssh
  cd -- "$ORKESTRA_PROJECT" || exit
  exec setpriv --pdeathsig KILL -- setsid -- timeout --kill-after="$ORKESTRA_GRACE" "$ORKESTRA_REMOTE_TIMEOUT" \
    setpriv --pdeathsig KILL -- "$@"
}

# OpenSSH is told to ask nothing; another program that the user has put in its place has no terminal to ask at.
away::_quiet_ssh() {
  local command=${GIT_SSH_COMMAND:-}
  [[ -z ${GIT_SSH:-} ]] || return 0
  [[ -n $command ]] || command=$(git --git-dir="$ORKESTRA_GIT_DIR" config --get core.sshCommand) || command=ssh
  [[ $command =~ ^([^ ]*/)?ssh( |$) ]] || return 0
  export GIT_SSH_COMMAND="$command -o BatchMode=yes"
}

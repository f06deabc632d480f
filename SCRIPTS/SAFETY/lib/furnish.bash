# shellcheck shell=bash disable=SC2034  # FURNISH_SAID is for the caller
# What a project wants done in a workspace before anybody works there (`workspace.setup` in config/project.json): for a
# worker without a program start. See the head of furnish.sh.

use git workspace SAFETY/check

# Names of files that say what is to be installed: where one of them changes, the setup is run again.
readonly FURNISH_LOCKS='package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|requirements[^/]*\.txt|constraints[^/]*\.txt|poetry\.lock|Pipfile\.lock|uv\.lock|pdm\.lock|Cargo\.lock|go\.sum|Gemfile\.lock|composer\.lock|mix\.lock|pubspec\.lock|flake\.lock|conda-lock\.yml|environment\.ya?ml'

FURNISH_SAID='' # how it failed, in words

# furnish::run VAR WORKSPACE COMMIT COMMAND_FILE LOG SECONDS: VAR gets the exit status of the command. Nothing is done where
# there is none, or where the workspace, which is at COMMIT, still has what the same command made of the same lock files.
furnish::run() {
  local _var=$1 _workspace=$2 _commit=$3 _command=$4 _log=$5 _seconds=$6 _key _known='' _how=0
  FURNISH_SAID=''
  printf -v "$_var" 0
  [[ -s $_command ]] || return 0
  _key=$(furnish::_key "$_workspace" "$_commit" "$_command")
  [[ ! -f $_workspace/furnished ]] || IFS= read -r _known <"$_workspace/furnished" || : # not finished
  [[ $_known != "$_key" ]] || return 0
  : >"$_workspace/furnished"
  ORKESTRA_CHECK_NETWORK=1 check::run _how "$_workspace" "$_command" "$_log" "$_seconds"
  printf -v "$_var" '%s' "$_how"
  [[ -z $PROCESS_STOPPING ]] || return 0
  if ((_how != 0)); then
    FURNISH_SAID=${CHECK_ENDED:-failed (exit $_how)}
    return
  fi
  # What is left is what Git ignores: the rest would be taken for the agent's work.
  workspace::show "$_workspace" "$_commit"
  if ((WORKSPACE_STATUS != 0)); then
    printf -v "$_var" '%s' "$WORKSPACE_STATUS"
    FURNISH_SAID="left a tree that cannot be brought back: $WORKSPACE_WHY"
    return
  fi
  printf '%s\n' "$_key" >"$_workspace/furnished"
}

# The command, and the lock files of the commit.
furnish::_key() {
  local command files locks status=0
  command=$(<"$3")
  files=$(git::workspace "$1" ls-tree -r "$2")
  locks=$(LC_ALL=C grep -aE "(	|/)($FURNISH_LOCKS)\"?$" <<<"$files") || status=$?
  ((status < 2)) || die "$EX_INTERNAL" "the lock files of $2 cannot be told"
  sha256sum <<<"$command$locks"
}

#!/usr/bin/env bash
# Summary: the real agent command lines, pinned, from their registries, for the tests
# Usage: install-agents.sh FOLDER AGENT...
#
# Installs into FOLDER (a cache: what is there in the right version is left alone) and prints a line
# `AGENT TAB BINARY` for each. Several callers at once wait for each other.
# Exit: 0; 64 unknown agent; 69 it could not be had.
set -Eeuo pipefail
shopt -s inherit_errexit

# From npm, or from PyPI where it begins with `pypi:`: then each has an environment of its own. The command is called like
# the agent, up to a dash.
declare -rA PACKAGES=(
  [claude]='@anthropic-ai/claude-code@2.1.197'
  [codex]='@openai/codex@0.169.0'
  [gemini]='@google/gemini-cli@0.61.0'
  [llm]='pypi:llm==0.36'
  [opencode]='opencode-ai@1.18.33'
  [qwen]='@qwen-code/qwen-code@0.15.10'
  [copilot]='@github/copilot@1.0.102'
  [aider]='pypi:aider-chat==0.86.2'
  [grok]='pypi:grok-cli-bin==0.2.111'
  ['grok-npm']='@vibe-kit/grok-cli@0.0.34'
)

main() {
  (($# >= 2)) || give_up 64 'usage: install-agents.sh FOLDER AGENT...'
  local folder=$1 agent lock
  shift
  mkdir -p -- "$folder"
  exec {lock}>"$folder/.lock"
  flock "$lock"
  for agent in "$@"; do
    [[ -v PACKAGES[$agent] ]] || give_up 64 "no agent '$agent' is pinned here"
    install_one "$folder/$agent" "$agent" "${PACKAGES[$agent]}"
  done
}

install_one() {
  local folder=$1 agent=$2 package=$3 command=${2%%-*} binary
  binary=$folder/node_modules/.bin/$command
  local install=(npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "$package")
  if [[ $package == pypi:* ]]; then
    binary=$folder/bin/$command
    install=("$folder/bin/pip" --quiet --disable-pip-version-check install "${package#pypi:}")
  fi
  if [[ ! -x $binary || ! -f $folder/package || $(<"$folder/package") != "$package" ]]; then
    rm -rf -- "$folder"
    mkdir -p -- "$folder"
    if [[ $package == pypi:* ]]; then
      python3 -m venv -- "$folder" || give_up 69 'python3 cannot make an environment (Debian package python3-venv)'
    else
      command -v npm >/dev/null || give_up 69 'npm is not installed'
    fi
    install_retried "${install[@]}" || give_up 69 "$package could not be installed"
    [[ -x $binary ]] || link_packed "$folder" "$command"
    "$binary" --version >/dev/null || give_up 69 "$package was installed and does not start"
    printf '%s' "$package" >"$folder/package"
  fi
  printf '%s\t%s\n' "$agent" "$binary"
}

# A package that holds a program and puts it on no PATH.
link_packed() {
  local packed
  packed=$(find "$1/lib" -path "*/bin/$2" -type f -print -quit)
  [[ -n $packed ]] || give_up 69 "there is no $2 in what was installed into $1"
  chmod +x -- "$packed"
  ln -s -- "$packed" "$1/bin/$2"
}

install_retried() {
  local try
  for try in 3 6; do
    ! "$@" >&2 || return 0
    sleep "$try"
  done
  "$@" >&2
}

give_up() {
  printf 'install-agents.sh: %s\n' "$2" >&2
  exit "$1"
}

main "$@"

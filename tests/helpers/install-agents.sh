#!/usr/bin/env bash
# Summary: the real agent command lines, pinned, from their registries, for the tests
# Usage: install-agents.sh FOLDER AGENT...
#
# Installs into FOLDER (a cache: what is there in the right version is left alone) and prints a line
# `AGENT TAB BINARY` for each. Several callers at once wait for each other.
# Exit: 0; 64 unknown agent; 69 it could not be had.
set -Eeuo pipefail
shopt -s inherit_errexit

declare -rA PACKAGES=([claude]='@anthropic-ai/claude-code@2.1.197')

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
  local folder=$1 agent=$2 package=$3 binary=$1/node_modules/.bin/$2 try
  if [[ ! -x $binary || ! -f $folder/package || $(<"$folder/package") != "$package" ]]; then
    command -v npm >/dev/null || give_up 69 'npm is not installed'
    rm -rf -- "$folder"
    mkdir -p -- "$folder"
    for try in 1 2 3; do
      ! npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "$package" >&2 || break
      ((try < 3)) || give_up 69 "npm could not install $package"
      sleep "$((try * 3))"
    done
    "$binary" --version >/dev/null || give_up 69 "$package was installed and does not start"
    printf '%s' "$package" >"$folder/package"
  fi
  printf '%s\t%s\n' "$agent" "$binary"
}

give_up() {
  printf 'install-agents.sh: %s\n' "$2" >&2
  exit "$1"
}

main "$@"

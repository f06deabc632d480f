#!/usr/bin/env bash
# Summary: Mermaid, pinned, as one file for a browser, for the test that draws what a report says
# Usage: install-mermaid.sh FOLDER
#
# Puts it into FOLDER (a cache: the right version is left alone) and prints its path.
# Exit: 0; 64 wrong usage; 69 it could not be had.
set -Eeuo pipefail
shopt -s inherit_errexit

readonly VERSION=11.4.1

main() {
  (($# == 1)) || give_up 64 'usage: install-mermaid.sh FOLDER'
  local folder=$1 file=$1/mermaid-$VERSION.min.js lock
  mkdir -p -- "$folder"
  exec {lock}>"$folder/.lock"
  flock "$lock"
  if [[ ! -s $file ]]; then
    command -v npm >/dev/null || give_up 69 'npm is not installed'
    cd -- "$folder"
    pack || {
      sleep 5
      pack || give_up 69 "mermaid $VERSION could not be had: see what npm said above"
    }
    tar -xOf "mermaid-$VERSION.tgz" package/dist/mermaid.min.js >"$file.new"
    rm -f -- "mermaid-$VERSION.tgz"
    mv -- "$file.new" "$file"
  fi
  printf '%s\n' "$file"
}

pack() {
  npm pack --loglevel=error "mermaid@$VERSION" >&2
}

give_up() {
  printf 'install-mermaid.sh: %s\n' "$2" >&2
  exit "$1"
}

main "$@"

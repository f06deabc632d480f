#!/usr/bin/env bash
# Summary: replace known keys in files with [redacted]
# Usage: redact.sh FILE...
# Exit: 0 done, or nothing to do; 65 a FILE cannot be read; 73 one cannot be written
#
# Known are the values of ORKESTRA_SECRETS_FILE. A file without one is only read. One that has some is replaced as a
# whole (same folder, then rename) and keeps its mode.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use list SAFETY/secrets
export LC_ALL=C

main() {
  (($# > 0)) || die "$EX_USAGE" "redact.sh: which file?"
  local file found
  for file in "$@"; do
    [[ -f $file && -r $file ]] || die "$EX_DATA" "redact.sh: cannot read $file"
  done
  secrets::load || exit "$EX_OK"
  redact::sort
  # shellcheck disable=SC2310  # its status says it all
  list::read found redact::found "$@" || die "$EX_INTERNAL" "redact.sh: the search broke: the files may still hold a key"
  for file in "${found[@]}"; do redact::rewrite "$file"; done
}

# Those of the files that hold a key; the values reach grep through a pipe, never as arguments.
redact::found() {
  printf '%s\n' "${SECRETS_VALUES[@]}" | grep -laZF -f - -- "$@" || (($? == 1))
}

# The longest first: one key may be the beginning of another.
redact::sort() {
  local i j value
  for ((i = 1; i < ${#SECRETS_VALUES[@]}; ++i)); do
    value=${SECRETS_VALUES[i]}
    for ((j = i; j > 0 && ${#SECRETS_VALUES[j - 1]} < ${#value}; --j)); do SECRETS_VALUES[j]=${SECRETS_VALUES[j - 1]}; done
    SECRETS_VALUES[j]=$value
  done
}

# The values reach sed through a pipe, never as arguments.
redact::rewrite() {
  local temporary=$1.redacted.$$
  cp -p -- "$1" "$temporary" || die "$EX_CANNOT_WRITE" "redact.sh: cannot write beside $1"
  # shellcheck disable=SC2310  # pipefail tells
  redact::script | sed -f /dev/stdin -- "$1" >"$temporary" \
    || { rm -f -- "$temporary" && die "$EX_CANNOT_WRITE" "redact.sh: cannot write $temporary"; }
  mv -f -- "$temporary" "$1"
}

redact::script() {
  printf '%s\n' "${SECRETS_VALUES[@]}" | sed 's/[][\.*^$/]/\\&/g; s/.*/s\/&\/[redacted]\/g/'
}

main "$@"

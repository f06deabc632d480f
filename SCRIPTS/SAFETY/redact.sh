#!/usr/bin/env bash
# Summary: replace known keys in files with [redacted]
# Usage: redact.sh FILE...
# Exit: 0 done, or nothing to do; 65 a FILE cannot be read; 73 one cannot be written
#
# Known are the keys of ORKESTRA_SECRETS_FILE, in every form in which a text may hold them. A file without one is only
# read. One that has some is replaced as a whole (same folder, then rename) and keeps its mode.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use SAFETY/redact

main() {
  (($# > 0)) || die "$EX_USAGE" "redact.sh: which file?" "see the head of $0"
  local file
  for file in "$@"; do
    [[ -f $file && -r $file ]] || die "$EX_DATA" "redact.sh: cannot read $file"
  done
  redact::files "$@"
}

main "$@"

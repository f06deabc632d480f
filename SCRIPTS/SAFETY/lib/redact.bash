# shellcheck shell=bash
# Known keys leave files, as they stand there or encoded (lib/secrets.bash): what redact.sh does, for a caller without a
# program start.

use list SAFETY/secrets

# redact::files FILE...: a file without a key is only read; one that has some is replaced as a whole (same folder, then
# rename) and keeps its mode.
redact::files() {
  redact::_each -lZ -- "$@"
}

# redact::folder FOLDER: the same for every file below it.
redact::folder() {
  [[ ! -d $1 || -L $1 ]] || redact::_each -rlZ -- "$1"
}

redact::_each() {
  local file
  local -a hits=()
  # shellcheck disable=SC2310  # a predicate that dies of what is no answer
  is_keyed || return 0
  # shellcheck disable=SC2310  # its status says it all
  list::read hits redact::_found "$@" || die "$EX_INTERNAL" "the search for keys broke: the files may still hold one"
  for file in "${hits[@]}"; do redact::_rewrite "$file"; done
}

redact::_found() {
  LC_ALL=C secrets::grep -aF -f "$ORKESTRA_SECRETS_FILE.forms" "$@" || (($? == 1))
}

# The forms reach sed through a pipe, never as arguments.
redact::_rewrite() {
  local temporary=$1.redacted.$$
  # shellcheck disable=SC2310,SC2312  # asked for its status; pipefail tells
  if ! { cp -p -- "$1" "$temporary" && redact::_script | LC_ALL=C sed -f /dev/stdin -- "$1" >"$temporary" \
    && mv -f -- "$temporary" "$1"; }; then
    rm -f -- "$temporary"
    die "$EX_CANNOT_WRITE" "a key stands in $1, and it cannot be rewritten" "see the space left and the rights of its folder"
  fi
}

redact::_script() {
  LC_ALL=C sed 's/[][\.*^$/]/\\&/g; s/.*/s\/&\/[redacted]\/g/' "$ORKESTRA_SECRETS_FILE.forms"
}

#!/usr/bin/env bash
# Summary: takes a credential that a tool refreshed back to where the user keeps it.
# Usage: keep-credential.sh ORIGINAL BEFORE NOW
#   ORIGINAL is the user's file, BEFORE is the copy that the tool was given, NOW is what it left.
# Exit: 0 kept or nothing to keep; 1 refused, with the reason.
#
# ORIGINAL changes only when it still is what the tool was given (another worker or the user may have refreshed it
# meanwhile; theirs stands) and when NOW has the shape of BEFORE. The lock is shared by all runs on this machine, the
# replacement is atomic, the file's mode stays.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log AGENTS/fresh

refuse() {
  warn "$1"
  exit "$EX_FAILED"
}

main() {
  (($# == 3)) || die "$EX_USAGE" "usage: keep-credential.sh ORIGINAL BEFORE NOW"
  error::need_variables ORKESTRA_PYTHON ORKESTRA_CONFIG
  local original before=$2 now=$3 lock
  original=$(readlink -e -- "$1") || refuse "the login file is gone, a refreshed one is not written: $1"
  [[ -f $now && ! -L $now ]] || refuse "the agent left no regular file for $1; the login stays as it was"
  "$ORKESTRA_PYTHON" -m orkestra_shim.credential "$before" "$now" \
    || refuse "what the agent left in place of $1 is no refreshed login; the login stays as it was"

  exec {lock}>>"$ORKESTRA_CONFIG/RUNTIME/credentials.lock"
  flock -w 30 "$lock" || refuse "another process holds the lock of the logins; $1 stays as it was"
  if cmp -s -- "$original" "$before"; then
    KEEP_NEW=$original.orkestra-$$
    trap 'rm -f -- "$KEEP_NEW"' EXIT
    install -m 600 -- "$now" "$KEEP_NEW"
    chmod --reference="$original" -- "$KEEP_NEW"
    chown --reference="$original" -- "$KEEP_NEW" 2>/dev/null || : # an ordinary user cannot give a file away; it is theirs then
    mv -T -- "$KEEP_NEW" "$original"
    log::write info "login refreshed: $1"
  fi
}

main "$@"

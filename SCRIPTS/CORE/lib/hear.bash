# shellcheck shell=bash
# What a person reads of the errors of a run with all its parts: our own words (`orkestra: ...`, a hint below), each once.
# What programs and Bash itself say goes into the log: on a full disk every one of them speaks up, beside the part that
# says what it means.

use log clock

readonly HEAR_AGAIN=60 # seconds after which the same may be said again
HEAR_END=''            # closes when all has been heard

# hear::begin: from here on what this process and its children write to stderr goes that way. ORKESTRA_DEBUG=1 leaves it.
hear::begin() {
  [[ ${ORKESTRA_DEBUG:-} != 1 ]] || return 0
  local person to
  exec {person}>&2
  coproc HEAR { hear::_lines "$person"; }
  HEAR_END=${HEAR[0]} to=${HEAR[1]}
  exec {person}>&- 2>&"$to" {to}>&-
}

# hear::end: waits until all has been said; from here on nobody hears this process.
hear::end() {
  [[ -n $HEAR_END ]] || return 0
  exec 2>/dev/null
  # Somebody who does not end keeps us no longer than this.
  read -r -t 5 -u "$HEAR_END" _ || :
  HEAR_END=''
}

hear::_lines() {
  local line last now
  local -A said=()
  trap '' INT TERM HUP PIPE
  trap - ERR
  set +e
  # No lock and no output of the run is held by it: it ends when the last part of the run has ended.
  exec 2>/dev/null 7>&- 9>&-
  while IFS= read -r line || [[ -n $line ]]; do
    case $line in
      '') ;;
      'orkestra: '* | '  '*)
        last=${said[$line]:-}
        clock::passed now
        [[ -z $last ]] || ((now - last >= HEAR_AGAIN)) || continue
        said[$line]=$now
        printf '%s\n' "$line" >&"$1"
        ;;
      *) log::write error "$line" ;;
    esac
  done
}

# shellcheck shell=bash
# Exit codes (the table of docs/scripting.md, from sysexits.h where it has one) and the one way to end with an error.

# shellcheck disable=SC2034  # a table: each command uses the rows it needs
readonly EX_OK=0 EX_FAILED=1 EX_HELD=16 EX_USAGE=64 EX_DATA=65 EX_UNAVAILABLE=69 EX_INTERNAL=70 \
  EX_CANNOT_WRITE=73 EX_LOST=74 EX_LIMITED=75 EX_DROPPED=76 EX_LOGIN=77 EX_CONFIG=78 EX_WITHHELD=79 EX_TIMEOUT=124

# error::hide VAR: known keys (orkestra_shim/keys.py) leave the text in VAR. Nothing is said to a person or a log but so.
error::hide() {
  local _form _forms=() _left
  [[ -s ${ORKESTRA_SECRETS_FILE:-} && -r $ORKESTRA_SECRETS_FILE.forms ]] || return 0
  mapfile -t _forms <"$ORKESTRA_SECRETS_FILE.forms"
  for _form in "${_forms[@]}"; do
    [[ ${!1} != *"$_form"* ]] || printf -v "$1" '%s' "${!1//"$_form"/[redacted]}"
  done
  [[ -r $ORKESTRA_SECRETS_FILE.squeezed ]] || return 0
  _left=${!1//[^0-9A-Za-z]/}
  mapfile -t _forms <"$ORKESTRA_SECRETS_FILE.squeezed"
  for _form in "${_forms[@]}"; do
    [[ $_left != *"$_form"* ]] || printf -v "$1" '(words that hold a key in pieces)'
  done
}

# die CODE WHAT [HINT]: what is wrong and where; what to do now. Does not return.
die() {
  local code=$1 what=$2 hint=${3:-}
  error::hide what
  error::hide hint
  printf 'orkestra: %s\n' "$what" >&2
  [[ -z $hint ]] || printf '  %s\n' "$hint" >&2
  trap - ERR
  exit "$code"
}

readonly ERROR_ROOM=262144 # bytes: a disk with less is full

# Most of what nobody expected is a disk: the first place of a run that cannot be written ends this process, with 73.
error::_look_at_disks() {
  local place file room
  for place in "${ORKESTRA_GIT_DIR:-}" "${ORKESTRA_RUNTIME:-}" "${ORKESTRA_WORKSPACES:-}" "${ORKESTRA_LOGS:-}"; do
    [[ -n $place && -d $place ]] || continue
    file=$place/.orkestra-room
    # Without a name before anything is in it: a kill leaves nothing.
    # shellcheck disable=SC2094
    if { rm -f -- "$file" && printf '%*s' "$ERROR_ROOM" '' >&"$room"; } 2>/dev/null {room}>"$file"; then continue; fi
    die "$EX_CANNOT_WRITE" "cannot write $place: its disk is full or read-only, or it belongs to somebody else" \
      "mend that, then start again: nothing that landed is lost"
  done
}

ERROR_WRITING='' # what this process does nothing but write to: whatever fails meanwhile means that it cannot

# What nobody expected: one line for a person, the place for a developer.
error::_trap() {
  local code=$1 line=$2 command=$3
  trap - ERR
  error::_look_at_disks
  [[ -z $ERROR_WRITING || ${ORKESTRA_DEBUG:-} == 1 ]] || die "$EX_CANNOT_WRITE" "cannot write $ERROR_WRITING" \
    "${ORKESTRA_LOGS:+the end of $ORKESTRA_LOGS/orchestrator.log says why; }mend that, then start again: nothing is lost"
  if [[ ${ORKESTRA_DEBUG:-} == 1 ]]; then
    printf 'orkestra: %s:%s: "%s" ended with %s\n' "${BASH_SOURCE[1]:-$0}" "$line" "$command" "$code" >&2
    local frame
    for ((frame = 1; frame < ${#FUNCNAME[@]} - 1; ++frame)); do
      printf '  in %s (%s:%s)\n' "${FUNCNAME[frame]}" "${BASH_SOURCE[frame + 1]:-?}" "${BASH_LINENO[frame]}" >&2
    done
  else
    printf 'orkestra: %s stopped where it should not have (exit %s)\n' "${0##*/}" "$code" >&2
    printf '  set ORKESTRA_DEBUG=1 and do the same again to see where\n' >&2
  fi
  exit "$EX_INTERNAL"
}
# allow library-form: the one ERR trap, which every command has from its first line on
trap 'error::_trap "$?" "$LINENO" "$BASH_COMMAND"' ERR

# error::need_variables NAME...: what a run sets for its parts is set, or exit 64.
error::need_variables() {
  local name
  for name in "$@"; do
    [[ -n ${!name:-} ]] || die "$EX_USAGE" "${0##*/}: $name is not set, as it is when a run calls this" "see the head of $0"
  done
}

# error::need_file FILE: it can be read, or exit 64.
error::need_file() {
  [[ -f $1 && -r $1 ]] || die "$EX_USAGE" "${0##*/}: there is no $1 to read" "see the head of $0"
}

# error::enter FOLDER: it becomes the working folder, or exit 64.
error::enter() {
  cd -- "$1" 2>/dev/null || die "$EX_USAGE" "${0##*/}: there is no folder $1" "see the head of $0"
}

# error::need_number VALUE WHAT: VALUE is a plain decimal number, or exit 64.
error::need_number() {
  [[ $1 =~ ^[0-9]{1,12}$ ]] || die "$EX_USAGE" "$2 must be a whole number, not '$1'" "see the head of $0"
}

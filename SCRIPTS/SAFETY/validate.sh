#!/usr/bin/env bash
# Summary: look for what is wrong before a task starts, or after its agent has ended
# Usage: validate.sh before --workspace W --ticket T --attempt A --base COMMIT [--only NAME]
#        validate.sh after --workspace W --ticket T --attempt A [--only NAME]
#        validate.sh list
# Exit: 0 nothing is wrong; 1 something is, one line for each thing on stdout; 64 wrong usage
#
# Each file validators/before/NAME.bash or validators/after/NAME.bash is one validator; being there is all it takes.
# Its first line with "Summary:" says what it checks. It defines validator::NAME (a dash in the name is _ there), which
# calls `wrong TEXT` for what it finds and reads VALIDATE_WORKSPACE, _TICKET, _ATTEMPT and _BASE. It starts no process
# where all is well: this runs for every task.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use text

VALIDATE_WORKSPACE='' VALIDATE_TICKET='' VALIDATE_ATTEMPT='' VALIDATE_BASE='' VALIDATE_ONLY=''
VALIDATE_WRONG=0 VALIDATE_NAME=''

main() {
  case ${1:-} in
    before | after)
      validate::parse "$@"
      validate::run "$1"
      ;;
    list) validate::list ;;
    *) die "$EX_USAGE" "validate.sh: before, after or list?" "see the head of ${BASH_SOURCE[0]}" ;;
  esac
}

validate::parse() {
  local when=$1
  shift
  while (($# > 0)); do
    (($# > 1)) || die "$EX_USAGE" "validate.sh: $1 needs a value"
    case $1 in
      --workspace) VALIDATE_WORKSPACE=$2 ;;
      --ticket) VALIDATE_TICKET=$2 ;;
      --attempt) VALIDATE_ATTEMPT=$2 ;;
      --base) VALIDATE_BASE=$2 ;;
      --only) VALIDATE_ONLY=$2 ;;
      *) die "$EX_USAGE" "validate.sh: unknown option '$1'" ;;
    esac
    shift 2
  done
  [[ -n $VALIDATE_WORKSPACE && -n $VALIDATE_TICKET && -n $VALIDATE_ATTEMPT ]] \
    || die "$EX_USAGE" "validate.sh: --workspace, --ticket and --attempt are needed"
  [[ $when == after || -n $VALIDATE_BASE ]] || die "$EX_USAGE" "validate.sh: --base is needed"
}

validate::run() {
  local file ran=''
  for file in "$ORKESTRA_SCRIPTS/SAFETY/validators/$1"/*.bash; do
    VALIDATE_NAME=${file##*/}
    VALIDATE_NAME=${VALIDATE_NAME%.bash}
    [[ -z $VALIDATE_ONLY || $VALIDATE_ONLY == "$VALIDATE_NAME" ]] || continue
    ran=1
    # shellcheck source=/dev/null
    source "$file"
    "validator::${VALIDATE_NAME//-/_}"
  done
  [[ -n $ran ]] || die "$EX_USAGE" "validate.sh: there is no validator '$VALIDATE_ONLY' for $1" "see validate.sh list"
  ((VALIDATE_WRONG == 0)) || exit "$EX_FAILED"
}

# wrong TEXT: what a validator found.
wrong() {
  local shown
  text::plain shown "$1"
  printf '%s: %s\n' "$VALIDATE_NAME" "$shown"
  ((++VALIDATE_WRONG))
}

validate::list() {
  local file line when
  for when in before after; do
    for file in "$ORKESTRA_SCRIPTS/SAFETY/validators/$when"/*.bash; do
      while IFS= read -r line; do [[ $line != '# Summary: '* ]] || break; done <"$file"
      file=${file##*/}
      printf '%s %s: %s\n' "$when" "${file%.bash}" "${line#'# Summary: '}"
    done
  done
}

main "$@"

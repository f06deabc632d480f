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
use SAFETY/validate

main() {
  case ${1:-} in
    before | after) run "$@" ;;
    list) list ;;
    *) die "$EX_USAGE" "validate.sh: before, after or list?" "see the head of ${BASH_SOURCE[0]}" ;;
  esac
}

run() {
  local when=$1 workspace='' ticket='' attempt='' base='' only=''
  shift
  while (($# > 0)); do
    (($# > 1)) || die "$EX_USAGE" "validate.sh: $1 needs a value" "see the head of ${BASH_SOURCE[0]}"
    case $1 in
      --workspace) workspace=$2 ;;
      --ticket) ticket=$2 ;;
      --attempt) attempt=$2 ;;
      --base) base=$2 ;;
      --only) only=$2 ;;
      *) die "$EX_USAGE" "validate.sh: unknown option '$1'" "see the head of ${BASH_SOURCE[0]}" ;;
    esac
    shift 2
  done
  [[ -n $workspace && -n $ticket && -n $attempt ]] \
    || die "$EX_USAGE" "validate.sh: --workspace, --ticket and --attempt are needed" "see the head of ${BASH_SOURCE[0]}"
  [[ $when == after || -n $base ]] || die "$EX_USAGE" "validate.sh: --base is needed" "see the head of ${BASH_SOURCE[0]}"
  validate::run "$when" "$workspace" "$ticket" "$attempt" "$base" "$only"
  printf '%s' "$VALIDATE_FOUND"
  [[ -z $VALIDATE_FOUND ]] || exit "$EX_FAILED"
}

list() {
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

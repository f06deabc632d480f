#!/usr/bin/env bash
# Summary: ask program reviewers about one change; runs inside a sandbox, in the folder with the material
# Usage: run-programs.sh MEMBER...
# Exit: 0 all were asked; 64 wrong usage
#
# A MEMBER is the name of an executable in reviewers/, or a path to one. The working folder holds diff.patch, changes.tsv
# (STATUS TAB MODE TAB ADDED TAB DELETED TAB ESCAPED-PATH) and files/PATH, the changed files as they would be. A reviewer
# exits 0 (approve), 10 (revise), 11 (reject) or 12 (abstain) and says why on stdout.
#
# They work side by side, each no longer than PROGRAMS_SECONDS; what they say is held here, so that none of them sees or
# changes another's ballot, and at the end comes out as a line for each: MEMBER TAB EXIT TAB ESCAPED-TEXT.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use text beside

readonly PROGRAMS_SECONDS=${PROGRAMS_SECONDS:-100} PROGRAMS_WORDS=4096 # bytes of a reviewer's reason that are kept

main() {
  (($# > 0)) && [[ $1 != -* ]] || die "$EX_USAGE" "run-programs.sh: which reviewers?" "see the head of $0"
  local member program fd i lines=''
  local -a members=("$@") outputs=() pids=()
  for member in "${members[@]}"; do
    program=$member
    [[ $program == /* ]] || program=$ORKESTRA_SCRIPTS/COMMITTEE/reviewers/$member
    # shellcheck disable=SC2312  # its status comes through the pipe
    exec {fd}< <(beside::run "$program" 2>&1 </dev/null)
    outputs+=("$fd") pids+=("$!")
  done
  for i in "${!members[@]}"; do
    programs::collect "${members[i]##*/}" "${outputs[i]}" "${pids[i]}"
  done
  printf '%s' "$lines"
}

# programs::collect MEMBER FD PID: adds to main's lines.
programs::collect() {
  local words left=$((PROGRAMS_SECONDS - SECONDS))
  ((left > 0)) || left=0.01
  # What one that takes too long has started ends with the sandbox.
  beside::collect "$2" "$3" "$PROGRAMS_WORDS" "$left"
  words=$BESIDE_WORDS
  text::escape words "${words%$'\n'}"
  lines+=$1$'\t'$BESIDE_STATUS$'\t'$words$'\n'
}

main "$@"

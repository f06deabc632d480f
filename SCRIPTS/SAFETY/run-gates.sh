#!/usr/bin/env bash
# Summary: ask every gate about one change
# Usage: run-gates.sh ATTEMPT BASE TREE TICKET
# Exit: 0 no gate refuses; 1 one does; 70 a gate broke, which counts as a refusal
#
# ATTEMPT holds changes.raw and diff.patch of the change from BASE to TREE, TICKET what the task allows. The caller
# exports GIT_DIR and GIT_OBJECT_DIRECTORY. ATTEMPT/gates.tsv gets a line for each gate, in order of their names:
#   GATE TAB pass|refuse|mark TAB EVIDENCE
#
# A gate is an executable in gates/. It reads ORKESTRA_BASE, ORKESTRA_TREE, ORKESTRA_CHANGES (changes.raw),
# ORKESTRA_DIFF (diff.patch), ORKESTRA_ALLOW_PATHS, ORKESTRA_CHECK (the check's command, a file), ORKESTRA_SECRETS_FILE,
# says on stdout what it found, and exits 0 (pass), 1 (refuse) or 3 (mark: somebody must look at this).
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use SAFETY/gates

main() {
  (($# == 4)) || die "$EX_USAGE" "run-gates.sh: four arguments are needed" "see the head of $0"
  [[ -d $1 ]] || die "$EX_USAGE" "run-gates.sh: there is no folder $1" "see the head of $0"
  gates::run "$@"
}

main "$@"

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
use text

readonly GATES_EVIDENCE=4096 # bytes of what a gate said that are kept

main() {
  (($# == 4)) || die "$EX_USAGE" "run-gates.sh: four arguments are needed, see its head"
  export ORKESTRA_BASE=$2 ORKESTRA_TREE=$3 ORKESTRA_CHANGES=$1/changes.raw ORKESTRA_DIFF=$1/diff.patch
  export ORKESTRA_ALLOW_PATHS=$4/allow-paths ORKESTRA_CHECK=$4/check ORKESTRA_SECRETS_FILE=${ORKESTRA_SECRETS_FILE:-/dev/null}
  export LC_ALL=C
  local -a gates=("$ORKESTRA_SCRIPTS"/SAFETY/gates/*) outputs=() pids=()
  local gate fd table='' worst=$EX_OK
  # Side by side; each one's words come through a pipe of its own.
  for gate in "${gates[@]}"; do
    # shellcheck disable=SC2312  # its status is asked for by its pid
    exec {fd}< <(exec "$gate" 2>&1 </dev/null)
    outputs+=("$fd") pids+=("$!")
  done
  for gate in "${!gates[@]}"; do
    gates::collect "${gates[gate]##*/}" "${outputs[gate]}" "${pids[gate]}"
  done
  printf '%s' "$table" >"$1/gates.tsv"
  exit "$worst"
}

# gates::collect NAME FD PID: adds to main's table and worst.
gates::collect() {
  local evidence='' rest status=0 word
  IFS= read -r -d '' -N "$GATES_EVIDENCE" evidence <&"$2" || true
  while IFS= read -r -d '' -N 65536 rest <&"$2"; do :; done
  wait "$3" || status=$?
  case $status in
    0) word=pass ;;
    1) word=refuse ;;
    3) word=mark ;;
    *)
      word=refuse
      evidence="this gate broke (exit $status): $evidence"
      worst=$EX_INTERNAL
      ;;
  esac
  [[ $word != refuse || $worst != "$EX_OK" ]] || worst=$EX_FAILED
  text::escape evidence "${evidence%$'\n'}"
  table+=$1$'\t'$word$'\t'$evidence$'\n'
}

main "$@"

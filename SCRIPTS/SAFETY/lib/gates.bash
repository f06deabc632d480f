# shellcheck shell=bash
# All gates on one change: what run-gates.sh does, for a worker without a program start. See its head.

# What the built-in gates use is loaded here once, and not by each of them.
use text beside SAFETY/changes SAFETY/glob SAFETY/paths SAFETY/protected SAFETY/secrets

readonly GATES_EVIDENCE=4096 # bytes of what a gate said that are kept

# gates::run ATTEMPT BASE TREE TICKET: ends this process (a fork of the worker's) with what run-gates.sh exits with.
gates::run() {
  export ORKESTRA_BASE=$2 ORKESTRA_TREE=$3 ORKESTRA_CHANGES=$1/changes.raw ORKESTRA_DIFF=$1/diff.patch
  export ORKESTRA_ALLOW_PATHS=$4/allow-paths ORKESTRA_CHECK=$4/check ORKESTRA_SECRETS_FILE=${ORKESTRA_SECRETS_FILE:-/dev/null}
  export LC_ALL=C
  local -a gates=("$ORKESTRA_SCRIPTS"/SAFETY/gates/*) outputs=() pids=()
  local gate fd table='' worst=$EX_OK
  # Side by side; each one's words come through a pipe of its own.
  for gate in "${gates[@]}"; do
    # shellcheck disable=SC2312  # its status comes through the pipe
    exec {fd}< <(beside::run "$gate" 2>&1 </dev/null)
    outputs+=("$fd") pids+=("$!")
  done
  for gate in "${!gates[@]}"; do
    gates::_collect "${gates[gate]##*/}" "${outputs[gate]}" "${pids[gate]}"
  done
  printf '%s' "$table" >"$1/gates.tsv"
  exit "$worst"
}

# gates::_collect NAME FD PID: adds to gates::run's table and worst.
gates::_collect() {
  local evidence word
  beside::collect "$2" "$3" "$GATES_EVIDENCE"
  evidence=$BESIDE_WORDS
  case $BESIDE_STATUS in
    0) word=pass ;;
    1) word=refuse ;;
    3) word=mark ;;
    *)
      word=refuse
      evidence="this gate broke (exit $BESIDE_STATUS): $evidence"
      worst=$EX_INTERNAL
      ;;
  esac
  [[ $word != refuse || $worst != "$EX_OK" ]] || worst=$EX_FAILED
  text::escape evidence "${evidence%$'\n'}"
  table+=$1$'\t'$word$'\t'$evidence$'\n'
}

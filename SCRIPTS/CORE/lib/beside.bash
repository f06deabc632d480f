# shellcheck shell=bash
# Programs of ours that stand beside each other in a folder (gates, reviewers) and are many for one task. Each writes
# into a pipe of its own; the last four bytes are its exit status, a newline and three digits. (Bash 5.2 may lose the
# status of a child that ends as another one does, and then says -1.)

BESIDE_WORDS='' BESIDE_STATUS=0

# beside::run PROGRAM: runs it in this process, a fork that ends with it. One in Bash is read by this shell, which has
# loaded what it uses, so that no second shell is started; it cannot tell the difference. Any other is executed, and dies
# with this process.
beside::run() {
  local beside_program=$1 beside_line='' beside_status=0
  shift
  IFS= read -r beside_line 2>/dev/null <"$beside_program" || : # whatever it is, the system knows what to do with it
  if [[ -x $beside_program && $beside_line == '#!/usr/bin/env bash' ]]; then
    trap 'printf "\n%03d" "$?"' EXIT
    # shellcheck source=/dev/null
    source "$beside_program"
  else
    setpriv --pdeathsig KILL -- "$beside_program" "$@" || beside_status=$?
    printf '\n%03d' "$beside_status"
  fi
}

# beside::collect FD PID LENGTH [SECONDS]: BESIDE_WORDS gets the first LENGTH characters (bytes with LC_ALL=C) of what a
# program says, BESIDE_STATUS its exit status: 124 when it took longer, and then it is ended; 137 when it was killed.
# shellcheck disable=SC2034  # the caller reads them
beside::collect() {
  local chunk='' ending status=0 limit=()
  [[ -z ${4:-} ]] || limit=(-t "$4")
  BESIDE_WORDS=''
  IFS= read -r "${limit[@]}" -d '' -N "$3" BESIDE_WORDS <&"$1" || status=$?
  ending=${BESIDE_WORDS:${#BESIDE_WORDS}>4?${#BESIDE_WORDS}-4:0}
  # What is too long is read and dropped, so that it comes to its end.
  while ((status == 0)); do
    chunk=''
    IFS= read -r "${limit[@]}" -d '' -N 65536 chunk <&"$1" || status=$?
    ending+=$chunk
    ending=${ending:${#ending}>4?${#ending}-4:0}
  done
  if ((status > 128)); then
    kill -KILL "$2" 2>/dev/null || : # it ended just now
    BESIDE_STATUS=$EX_TIMEOUT
  elif [[ $ending =~ ^$'\n'([0-9]{3})$ ]]; then
    BESIDE_STATUS=$((10#${BASH_REMATCH[1]}))
    BESIDE_WORDS=${BESIDE_WORDS%"$ending"}
  else
    BESIDE_STATUS=137
  fi
}

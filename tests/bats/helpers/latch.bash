# shellcheck shell=bash
# Meeting points between a test and what it started. Nothing here waits for a time; PATIENCE only bounds what hangs.
#
# A latch is a FIFO. `latch_open` and `latch_wait` meet: neither goes on before the other has come, in whatever order
# they come. A script that is no test can take part without this file: `read -r _ <"$latch"` waits, and
# `echo >"$latch"` opens.
#
# What a test starts in the background gets `3>&-`: descriptor 3 is bats' own, and bats waits until it is closed.

# latch_make NAME... (upper case): sets LATCH_NAME to the path of a new FIFO, exported.
latch_make() {
  local name
  for name in "$@"; do
    mkfifo -- "$BATS_TEST_TMPDIR/latch.$name"
    export "LATCH_$name=$BATS_TEST_TMPDIR/latch.$name"
  done
}

# latch_wait FIFO: until somebody opens it. latch_open FIFO: until somebody waits for it.
# A child does the meeting, since opening a FIFO blocks and only a child can be bounded.
latch_wait() {
  timeout "$PATIENCE" bash -c 'IFS= read -r _ <"$1"' latch "$1" || {
    printf 'nobody opened the latch %s\n' "${1##*/}" >&2
    return 1
  }
}

latch_open() {
  timeout "$PATIENCE" bash -c 'echo >"$1"' latch "$1" || {
    printf 'nobody waits at the latch %s\n' "${1##*/}" >&2
    return 1
  }
}

# wait_for_line FILE REGEX: until FILE (which may not exist yet) has a matching line; prints that line.
wait_for_line() {
  local line
  while IFS= read -r line; do
    [[ $line =~ $2 ]] || continue
    printf '%s\n' "$line"
    return 0
  done < <(exec timeout "$PATIENCE" tail --lines=+1 --sleep-interval=0.05 -F -- "$1" 2>/dev/null)
  printf '%s has no line that matches %s\n' "$1" "$2" >&2
  return 1
}

# wait_for_end PID: until that process, which need not be a child, is gone.
wait_for_end() {
  timeout "$PATIENCE" tail --sleep-interval=0.05 --pid="$1" -f /dev/null || {
    printf 'process %s is still there\n' "$1" >&2
    return 1
  }
}

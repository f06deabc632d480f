#!/usr/bin/env bats
# SCRIPTS/CORE/lib/hear.bash: what a person reads of the errors of many processes.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  export ORKESTRA_LOGS=$PLACE/logs
  mkdir -- "$ORKESTRA_LOGS"
}

# heard SCRIPT: a process that is heard, its errors in $stderr and its output in $output.
heard() {
  run --separate-stderr timeout 60 bash -c 'source "$0/CORE/lib/boot.bash"; use hear; hear::begin; eval "$1"; hear::end' "$SCRIPTS" "$1"
}

@test "our own words come through, each once; what programs and Bash say is in the log" {
  heard '
    echo output
    bash -c "echo \"orkestra: one\" >&2; echo \"  its hint\" >&2"
    cat /nowhere/at/all || printf "orkestra: two\n" >&2
    printf "%s\n" text 2>/dev/null >/nowhere/at/all || :
    printf "%s\n" text >/nowhere/at/all || :
    bash -c "echo \"orkestra: one\" >&2; echo \"  its hint\" >&2"
    printf "orkestra: half a line" >&2'
  assert_status 0
  assert_equal "$output" output
  assert_equal "$stderr" $'orkestra: one\n  its hint\norkestra: two\norkestra: half a line'
  assert_matches "$(<"$ORKESTRA_LOGS/orchestrator.log")" '/nowhere/at/all: No such file'
  assert_matches "$(<"$ORKESTRA_LOGS/orchestrator.log")" 'line [0-9]+: /nowhere/at/all'
}

@test "ORKESTRA_DEBUG shows everything as it comes" {
  ORKESTRA_DEBUG=1 heard 'printf "%s\n" "what a program says" >&2; printf "orkestra: one\norkestra: one\n" >&2'
  assert_equal "$stderr" $'what a program says\norkestra: one\norkestra: one'
}

@test "what comes as a command is read as text" {
  heard 'printf "%s\n" "orkestra: x[\$(touch \"$ORKESTRA_LOGS/run\")]" "orkestra: x[\$(touch \"$ORKESTRA_LOGS/run\")]" "a[\$(touch \"$ORKESTRA_LOGS/run\")]" >&2'
  assert_matches "$stderr" '^orkestra: x\[\$\(touch [^)]*\)\]$'
  assert_missing "$ORKESTRA_LOGS/run"
}

@test "it holds no lock, and a log that cannot be written is nobody's loss" {
  heard 'rmdir "$ORKESTRA_LOGS"; printf "noise\norkestra: one\n" >&2'
  assert_equal "$stderr" 'orkestra: one'
  run --separate-stderr timeout 60 bash -c 'source "$0/CORE/lib/boot.bash"; use hear
    exec 9>"$1/lock" 7>&1
    hear::begin
    sleep 60 2>&2 7>&- 9>&- >/dev/null &
    flock 9; exec 9>&-
    flock --nonblock "$1/lock" echo free
    kill -KILL "$!"; wait "$!" || :
    hear::end' "$SCRIPTS" "$PLACE"
  assert_equal "$output" free
}

#!/usr/bin/env bats
# SCRIPTS/CORE/lib/log.bash: lines of several processes, and setting large logs aside.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  export ORKESTRA_LOGS=$PLACE/logs ORKESTRA_PROJECT_NAME='a project'
  mkdir -- "$ORKESTRA_LOGS"
}

# with_log SCRIPT ARG...: a process of its own that has loaded the library.
with_log() {
  bash -c 'source "$0/CORE/lib/boot.bash"; use log; eval "$1"' "$SCRIPTS" "$@"
}

@test "a line has its time, its level, its project, and nothing that could start another line" {
  with_log 'log::write warn $'"'"'one\ntwo\e[2J'"'"
  assert_matches "$(<"$ORKESTRA_LOGS/orchestrator.log")" '^[0-9T:-]+Z warn  a project\[[0-9]+\] one\?two\?\[2J$'
  with_log 'log::write info three monitor'
  assert_matches "$(<"$ORKESTRA_LOGS/monitor.log")" 'three$'
}

@test "a log that is larger is set aside, three old ones are kept" {
  local round
  for round in 1 2 3 4 5; do
    printf '%01000d\n%s\n' 0 "$round" >"$ORKESTRA_LOGS/orchestrator.log"
    with_log 'log::rotate 1000'
  done
  assert_missing "$ORKESTRA_LOGS/orchestrator.log" "$ORKESTRA_LOGS/orchestrator.log.4"
  for round in 1 2 3; do assert_equal "$(tail -n 1 "$ORKESTRA_LOGS/orchestrator.log.$round")" "$((6 - round))"; done
  printf 'small\n' >"$ORKESTRA_LOGS/monitor.log"
  with_log 'log::rotate 1000'
  assert_file "$ORKESTRA_LOGS/monitor.log" small
}

# What is set aside three times would be gone by design: each log is set aside twice here, under the hands of writers.
@test "no line is lost or torn while four write and two set aside" {
  local writers=() rotators=() pid total
  for pid in 1 2 3 4; do
    with_log 'for ((i = 0; i < 2000; ++i)); do log::write info "writer '"$pid"' line $i"; done' 3>&- &
    writers+=($!)
  done
  for pid in 1 2; do
    # About 120 bytes a line, 8,000 lines: never more than twice beyond 350 KB.
    with_log 'while [[ ! -e $ORKESTRA_LOGS/end ]]; do log::rotate 350000; done' 3>&- &
    rotators+=($!)
  done
  wait "${writers[@]}"
  : >"$ORKESTRA_LOGS/end"
  wait "${rotators[@]}"
  assert_exists "$ORKESTRA_LOGS/orchestrator.log.1"
  assert_missing "$ORKESTRA_LOGS/orchestrator.log.3"
  total=$(cat "$ORKESTRA_LOGS"/orchestrator.log* | grep -cE '^[0-9T:-]+Z info  a project\[[0-9]+\] writer [1-4] line [0-9]+$')
  assert_equal "$total" 8000
  total=$(cat "$ORKESTRA_LOGS"/orchestrator.log* | sed 's/.*writer/writer/' | sort -u | wc -l)
  assert_equal "$total" 8000
}

@test "several that set the same log aside at once do it once" {
  local round pid rotators
  for round in 1 2 3 4 5 6 7 8; do
    rm -f -- "$ORKESTRA_LOGS"/*.log*
    printf '%01000d\n' 0 >"$ORKESTRA_LOGS/orchestrator.log"
    rotators=()
    for pid in 1 2 3 4 5 6; do
      with_log 'log::rotate 500' 3>&- &
      rotators+=($!)
    done
    for pid in "${rotators[@]}"; do wait "$pid"; done
    assert_exists "$ORKESTRA_LOGS/orchestrator.log.1"
    assert_missing "$ORKESTRA_LOGS/orchestrator.log.2"
  done
}
